//! What the API says to people, in the languages that it speaks: one row per code.
//!
//! Words in braces are filled in from the parameters of a problem.

use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::service::LANGUAGES;

/// A language of people.
// In the order of `LANGUAGES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    En,
    /// Ukrainian.
    Uk,
    /// Russian.
    Ru,
}

/// One text in each language.
pub type Text = [&'static str; 3];

/// What is said for a code.
pub struct Row {
    /// Its stable name.
    pub code: &'static str,
    /// The status that it is answered with.
    pub status: StatusCode,
    /// What kind of problem it is.
    pub title: Text,
    /// What it is this time, and what to do.
    pub detail: Text,
}

impl Language {
    /// The language that an `Accept-Language` header likes best; English when it likes none of them.
    pub fn accepted(header: &str) -> Language {
        let mut best = (0.0, Language::En);
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default();
            let quality = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            let primary = tag.split('-').next().unwrap_or_default();
            let mut all = [Language::En, Language::Uk, Language::Ru].into_iter();
            if let Some(known) = all.find(|known| known.tag().eq_ignore_ascii_case(primary))
                && quality > best.0
            {
                best = (quality, known);
            }
        }
        best.1
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        LANGUAGES[self as usize]
    }

    /// The text in this language.
    pub fn of(self, text: &Text) -> &'static str {
        text[self as usize]
    }
}

/// A text with its parameters filled in.
pub fn fill(text: &str, parameters: &[(&'static str, String)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        if let Some((_, value)) = parameters.iter().find(|(known, _)| *known == name) {
            filled.push_str(value);
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// The row of a code. A code without one is a fault of this program, which a test finds.
pub fn row(code: &str) -> &'static Row {
    let find = |code| ROWS.iter().find(|row| row.code == code);
    find(code)
        .or_else(|| find("internal"))
        .unwrap_or_else(|| unreachable!("`internal` is in the table"))
}

/// The word for a kind of thing.
pub fn thing(name: &str, language: Language) -> String {
    let known = THINGS.iter().find(|(known, _)| *known == name);
    known.map_or(name, |(_, text)| language.of(text)).to_owned()
}

/// Why a value is refused; none for a code that has no text of its own.
pub fn reason(code: &str) -> Option<&'static Text> {
    let known = REASONS.iter().find(|(known, _)| *known == code);
    known.map(|(_, text)| text)
}

const THINGS: &[(&str, Text)] = &[
    ("tenant", ["tenant", "клієнт", "клиент"]),
    ("connection", ["connection", "підключення", "подключение"]),
    ("connector", ["connector", "конектор", "коннектор"]),
    ("version", ["version", "версія", "версия"]),
    ("job", ["job", "завдання", "задание"]),
    ("action", ["action", "дія", "действие"]),
    ("choice", ["choice", "вибір", "выбор"]),
    ("credential", ["credential", "ключ доступу", "ключ доступа"]),
    ("request", ["request", "запит", "запрос"]),
    ("run", ["run", "запуск", "запуск"]),
    ("record", ["record", "запис", "запись"]),
    (
        "kind of record",
        ["kind of record", "вид записів", "вид записей"],
    ),
    ("token", ["token", "токен", "токен"]),
    ("binding", ["binding", "зв'язка", "связка"]),
    ("question", ["question", "запитання", "вопрос"]),
];

const REASONS: &[(&str, Text)] = &[
    ("other", ["{expected}", "{expected}", "{expected}"]),
    ("required", ["is missing", "не вказано", "не указано"]),
    (
        "unknown",
        ["is not known here", "тут невідоме", "здесь неизвестно"],
    ),
    (
        "twice",
        ["is given twice", "вказано двічі", "указано дважды"],
    ),
    (
        "type",
        [
            "must be of type {expected}",
            "має бути типу {expected}",
            "должно быть типа {expected}",
        ],
    ),
    (
        "format",
        [
            "is not a valid {expected}",
            "не відповідає формату {expected}",
            "не соответствует формату {expected}",
        ],
    ),
    (
        "pattern",
        [
            "does not match {expected}",
            "не відповідає зразку {expected}",
            "не соответствует образцу {expected}",
        ],
    ),
    (
        "too_long",
        [
            "has more than {expected} characters",
            "довше за {expected} символів",
            "длиннее {expected} символов",
        ],
    ),
    (
        "too_short",
        [
            "has fewer than {expected} characters",
            "коротше за {expected} символів",
            "короче {expected} символов",
        ],
    ),
    (
        "too_many",
        [
            "has more than {expected} entries",
            "більше ніж {expected} елементів",
            "больше {expected} элементов",
        ],
    ),
    (
        "too_few",
        [
            "has fewer than {expected} entries",
            "менше ніж {expected} елементів",
            "меньше {expected} элементов",
        ],
    ),
    (
        "too_large",
        [
            "is more than {expected}",
            "більше за {expected}",
            "больше {expected}",
        ],
    ),
    (
        "too_small",
        [
            "is less than {expected}",
            "менше за {expected}",
            "меньше {expected}",
        ],
    ),
    (
        "not_one_of",
        [
            "is not one of {expected}",
            "не є одним із {expected}",
            "не является одним из {expected}",
        ],
    ),
    (
        "no_variant",
        [
            "matches none of the allowed forms",
            "не відповідає жодній з допустимих форм",
            "не соответствует ни одной из допустимых форм",
        ],
    ),
    (
        "one_needed",
        [
            "one of these is needed: {expected}",
            "потрібне одне з: {expected}",
            "нужно одно из: {expected}",
        ],
    ),
    (
        "one_only",
        [
            "matches several forms at once; only one may be given",
            "відповідає кільком формам одразу; може бути лише одна",
            "соответствует нескольким формам сразу; может быть только одна",
        ],
    ),
    (
        "scope",
        [
            "needs a token with the scope `{expected}`",
            "потребує токена з правом `{expected}`",
            "требует токена с правом `{expected}`",
        ],
    ),
    (
        "cursor",
        [
            "is not a place in this list; take it from `next` of the previous page",
            "не є місцем у цьому списку; візьміть його з `next` попередньої сторінки",
            "не является местом в этом списке; возьмите его из `next` предыдущей страницы",
        ],
    ),
    (
        "not_text",
        [
            "is not UTF-8 text",
            "не є текстом UTF-8",
            "не является текстом UTF-8",
        ],
    ),
];

/// The table. Status 400 is for what the description of the API already forbids, 422 for what only
/// the present state of things does.
pub const ROWS: &[Row] = &[
    Row {
        code: "request_invalid",
        status: StatusCode::BAD_REQUEST,
        title: [
            "The request is not valid",
            "Запит некоректний",
            "Запрос некорректен",
        ],
        detail: [
            "Something in the request is not as the description of the API says; see `errors`.",
            "Дещо в запиті не відповідає опису API; дивіться `errors`.",
            "Что-то в запросе не соответствует описанию API; смотрите `errors`.",
        ],
    },
    Row {
        code: "json_malformed",
        status: StatusCode::BAD_REQUEST,
        title: [
            "The body is not JSON",
            "Тіло запиту не є JSON",
            "Тело запроса не является JSON",
        ],
        detail: [
            "The body cannot be read as JSON: {reason}.",
            "Тіло запиту не читається як JSON: {reason}.",
            "Тело запроса не читается как JSON: {reason}.",
        ],
    },
    Row {
        code: "body_unreadable",
        status: StatusCode::BAD_REQUEST,
        title: [
            "The body did not arrive",
            "Тіло запиту не надійшло",
            "Тело запроса не дошло",
        ],
        detail: [
            "The body could not be read to its end; send the request again.",
            "Тіло запиту не вдалося прочитати до кінця; надішліть запит ще раз.",
            "Тело запроса не удалось прочитать до конца; отправьте запрос ещё раз.",
        ],
    },
    Row {
        code: "token_missing",
        status: StatusCode::UNAUTHORIZED,
        title: ["A token is needed", "Потрібен токен", "Нужен токен"],
        detail: [
            "Send a token in the header `Authorization: Bearer tnn_…`.",
            "Надішліть токен у заголовку `Authorization: Bearer tnn_…`.",
            "Пришлите токен в заголовке `Authorization: Bearer tnn_…`.",
        ],
    },
    Row {
        code: "token_invalid",
        status: StatusCode::UNAUTHORIZED,
        title: [
            "The token is not valid",
            "Токен недійсний",
            "Токен недействителен",
        ],
        detail: [
            "The token is unknown, was revoked or has expired; use another one.",
            "Токен невідомий, відкликаний або прострочений; скористайтеся іншим.",
            "Токен неизвестен, отозван или просрочен; воспользуйтесь другим.",
        ],
    },
    Row {
        code: "scope_missing",
        status: StatusCode::FORBIDDEN,
        title: [
            "The token may not do this",
            "Токен не дає на це права",
            "Токен не даёт на это права",
        ],
        detail: [
            "This needs a token with the scope `{scope}`.",
            "Для цього потрібен токен із правом `{scope}`.",
            "Для этого нужен токен с правом `{scope}`.",
        ],
    },
    Row {
        code: "no_such_path",
        status: StatusCode::NOT_FOUND,
        title: [
            "There is nothing here",
            "Тут нічого немає",
            "Здесь ничего нет",
        ],
        detail: [
            "The API has no such path; /openapi.json lists all that there are.",
            "В API немає такого шляху; перелік шляхів є в /openapi.json.",
            "В API нет такого пути; список путей есть в /openapi.json.",
        ],
    },
    Row {
        code: "method_not_allowed",
        status: StatusCode::METHOD_NOT_ALLOWED,
        title: [
            "The method is not allowed here",
            "Метод тут не дозволено",
            "Метод здесь не разрешён",
        ],
        detail: [
            "The header `Allow` lists the methods of this path.",
            "Методи цього шляху перелічено в заголовку `Allow`.",
            "Методы этого пути перечислены в заголовке `Allow`.",
        ],
    },
    Row {
        code: "content_type_unsupported",
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        title: [
            "The body has the wrong type",
            "Тіло запиту не того типу",
            "Тело запроса не того типа",
        ],
        detail: [
            "Send the body as {expected}, and say so in the header `Content-Type`.",
            "Надішліть тіло як {expected} і вкажіть це в заголовку `Content-Type`.",
            "Пришлите тело как {expected} и укажите это в заголовке `Content-Type`.",
        ],
    },
    Row {
        code: "body_too_large",
        status: StatusCode::PAYLOAD_TOO_LARGE,
        title: [
            "The body is too large",
            "Тіло запиту завелике",
            "Тело запроса слишком велико",
        ],
        detail: [
            "At most {most} bytes are accepted here.",
            "Тут приймається щонайбільше {most} байтів.",
            "Здесь принимается не больше {most} байт.",
        ],
    },
    Row {
        code: "idempotency_key_reused",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "The key belongs to another request",
            "Ключ належить іншому запиту",
            "Ключ принадлежит другому запросу",
        ],
        detail: [
            "This Idempotency-Key was used for another request; use a new one.",
            "Цей Idempotency-Key вже використано для іншого запиту; візьміть новий.",
            "Этот Idempotency-Key уже использован для другого запроса; возьмите новый.",
        ],
    },
    Row {
        code: "idempotency_under_way",
        status: StatusCode::CONFLICT,
        title: [
            "The first request is under way",
            "Перший запит ще виконується",
            "Первый запрос ещё выполняется",
        ],
        detail: [
            "A request with this Idempotency-Key is under way; ask again in a moment.",
            "Запит із цим Idempotency-Key ще виконується; повторіть за мить.",
            "Запрос с этим Idempotency-Key ещё выполняется; повторите чуть позже.",
        ],
    },
    Row {
        code: "idempotency_answer_gone",
        status: StatusCode::CONFLICT,
        title: [
            "It was done, but its answer is not kept",
            "Виконано, але відповідь не зберігається",
            "Выполнено, но ответ не хранится",
        ],
        detail: [
            "The first request with this Idempotency-Key was done. Its answer held a secret, which is \
             shown only once; revoke what was created and create it again.",
            "Перший запит із цим Idempotency-Key виконано. Його відповідь містила секрет, який \
             показується лише раз; відкличте створене і створіть заново.",
            "Первый запрос с этим Idempotency-Key выполнен. Его ответ содержал секрет, который \
             показывается только раз; отзовите созданное и создайте заново.",
        ],
    },
    Row {
        code: "not_found",
        status: StatusCode::NOT_FOUND,
        title: ["Not found", "Не знайдено", "Не найдено"],
        detail: [
            "There is no {what} `{name}`.",
            "Не знайдено: {what} `{name}`.",
            "Не найдено: {what} `{name}`.",
        ],
    },
    Row {
        code: "no_embedded_erp",
        status: StatusCode::NOT_FOUND,
        title: [
            "Records are elsewhere",
            "Записи зберігаються не тут",
            "Записи хранятся не здесь",
        ],
        detail: [
            "This server runs on a platform that keeps its records itself; look for them there.",
            "Цей сервер працює з платформою, яка сама зберігає записи; дивіться там.",
            "Этот сервер работает с платформой, которая сама хранит записи; смотрите там.",
        ],
    },
    Row {
        code: "exists",
        status: StatusCode::CONFLICT,
        title: ["It exists already", "Таке вже є", "Такое уже есть"],
        detail: [
            "There is a {what} `{name}` already; choose another name.",
            "Вже є: {what} `{name}`; виберіть інше ім'я.",
            "Уже есть: {what} `{name}`; выберите другое имя.",
        ],
    },
    Row {
        code: "invalid",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "A value cannot be used",
            "Значення не підходить",
            "Значение не подходит",
        ],
        detail: [
            "Something in the request cannot be used at present; see `errors`.",
            "Дещо в запиті зараз не можна застосувати; дивіться `errors`.",
            "Что-то в запросе сейчас нельзя применить; смотрите `errors`.",
        ],
    },
    Row {
        code: "settings_invalid",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "The settings do not fit",
            "Налаштування не підходять",
            "Настройки не подходят",
        ],
        detail: [
            "The settings are not as this connector needs them; see `errors`.",
            "Налаштування не такі, яких потребує цей конектор; дивіться `errors`.",
            "Настройки не такие, какие нужны этому коннектору; смотрите `errors`.",
        ],
    },
    Row {
        code: "etag_missing",
        status: StatusCode::PRECONDITION_REQUIRED,
        title: [
            "Say which settings you read",
            "Вкажіть, які налаштування ви прочитали",
            "Укажите, какие настройки вы прочитали",
        ],
        detail: [
            "Send the `ETag` of the settings that you read in the header `If-Match`.",
            "Надішліть `ETag` прочитаних налаштувань у заголовку `If-Match`.",
            "Пришлите `ETag` прочитанных настроек в заголовке `If-Match`.",
        ],
    },
    Row {
        code: "etag_mismatch",
        status: StatusCode::PRECONDITION_FAILED,
        title: [
            "The settings were changed meanwhile",
            "Налаштування тим часом змінено",
            "Настройки тем временем изменены",
        ],
        detail: [
            "Somebody changed the settings since you read them; they are at revision {revision} now. \
             Read them again.",
            "Хтось змінив налаштування після того, як ви їх прочитали; зараз вони у редакції \
             {revision}. Прочитайте їх знову.",
            "Кто-то изменил настройки после того, как вы их прочитали; сейчас они в редакции \
             {revision}. Прочитайте их снова.",
        ],
    },
    Row {
        code: "connection_on",
        status: StatusCode::CONFLICT,
        title: [
            "The connection is switched on",
            "Підключення увімкнено",
            "Подключение включено",
        ],
        detail: [
            "This can be done only while the connection is off; switch it off first.",
            "Це можливо лише тоді, коли підключення вимкнено; спершу вимкніть його.",
            "Это возможно, только когда подключение выключено; сначала выключите его.",
        ],
    },
    Row {
        code: "connection_not_on",
        status: StatusCode::CONFLICT,
        title: [
            "The connection is not switched on",
            "Підключення не увімкнено",
            "Подключение не включено",
        ],
        detail: [
            "This can be done only while the connection is on; switch it on first.",
            "Це можливо лише тоді, коли підключення увімкнено; спершу увімкніть його.",
            "Это возможно, только когда подключение включено; сначала включите его.",
        ],
    },
    Row {
        code: "busy",
        status: StatusCode::CONFLICT,
        title: ["A run is under way", "Триває запуск", "Идёт запуск"],
        detail: [
            "A run of the connection is under way and did not stop in time; try again later.",
            "Триває запуск підключення, і він не зупинився вчасно; спробуйте пізніше.",
            "Идёт запуск подключения, и он не остановился вовремя; попробуйте позже.",
        ],
    },
    Row {
        code: "version_in_use",
        status: StatusCode::CONFLICT,
        title: [
            "The version is in use",
            "Версія використовується",
            "Версия используется",
        ],
        detail: [
            "Connections run this version ({connections}); move them to another one first.",
            "Цю версію використовують підключення ({connections}); спершу переведіть їх на іншу.",
            "Эту версию используют подключения ({connections}); сначала переведите их на другую.",
        ],
    },
    Row {
        code: "no_previous_version",
        status: StatusCode::CONFLICT,
        title: [
            "There is no earlier version",
            "Немає попередньої версії",
            "Нет предыдущей версии",
        ],
        detail: [
            "The connection has no earlier version to go back to.",
            "Підключення не має попередньої версії, до якої можна повернутися.",
            "У подключения нет предыдущей версии, к которой можно вернуться.",
        ],
    },
    Row {
        code: "other_connector",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "The version is of another connector",
            "Версія іншого конектора",
            "Версия другого коннектора",
        ],
        detail: [
            "The version is one of the connector `{found}`, and the connection is one of `{wanted}`.",
            "Це версія конектора `{found}`, а підключення належить до `{wanted}`.",
            "Это версия коннектора `{found}`, а подключение относится к `{wanted}`.",
        ],
    },
    Row {
        code: "older_state",
        status: StatusCode::CONFLICT,
        title: [
            "The version is too old for what is kept",
            "Версія застара для збережених даних",
            "Версия слишком стара для сохранённых данных",
        ],
        detail: [
            "What the connection keeps has the state version {kept}, and this version knows only \
             {known}; use a newer version.",
            "Дані підключення мають версію {kept}, а ця версія знає лише {known}; візьміть новішу.",
            "Данные подключения имеют версию {kept}, а эта версия знает только {known}; возьмите \
             более новую.",
        ],
    },
    Row {
        code: "tenant_in_use",
        status: StatusCode::CONFLICT,
        title: [
            "Connections are switched on",
            "Є увімкнені підключення",
            "Есть включённые подключения",
        ],
        detail: [
            "The tenant has connections that are switched on ({connections}); switch them off first.",
            "У клієнта є увімкнені підключення ({connections}); спершу вимкніть їх.",
            "У клиента есть включённые подключения ({connections}); сначала выключите их.",
        ],
    },
    Row {
        code: "question_expired",
        status: StatusCode::CONFLICT,
        title: [
            "The question has expired",
            "Запитання втратило чинність",
            "Вопрос утратил силу",
        ],
        detail: [
            "The facts have changed and no run asks this any more; look at the present questions of \
             the connection.",
            "Обставини змінилися, і жоден запуск про це більше не питає; перегляньте теперішні \
             запитання підключення.",
            "Обстоятельства изменились, и ни один запуск об этом больше не спрашивает; посмотрите \
             нынешние вопросы подключения.",
        ],
    },
    Row {
        code: "question_answered",
        status: StatusCode::CONFLICT,
        title: [
            "The question is answered already",
            "На запитання вже відповіли",
            "На вопрос уже ответили",
        ],
        detail: [
            "Somebody has answered this question already; load it again to see who and how.",
            "На це запитання вже відповіли; завантажте його знову, щоб побачити, хто і як.",
            "На этот вопрос уже ответили; загрузите его снова, чтобы увидеть, кто и как.",
        ],
    },
    Row {
        code: "credential_missing",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "Credentials are missing",
            "Бракує ключів доступу",
            "Не хватает ключей доступа",
        ],
        detail: [
            "Set these credentials first, one of each group: {names}.",
            "Спершу задайте ключі доступу, по одному з кожної групи: {names}.",
            "Сначала задайте ключи доступа, по одному из каждой группы: {names}.",
        ],
    },
    Row {
        code: "bad_component",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "The component cannot be installed",
            "Компонент не можна встановити",
            "Компонент нельзя установить",
        ],
        detail: ["{reason}", "{reason}", "{reason}"],
    },
    Row {
        code: "check_failed",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "The counterpart refused access",
            "Інша система не прийняла підключення",
            "Другая система не приняла подключение",
        ],
        detail: ["{reason}", "{reason}", "{reason}"],
    },
    Row {
        code: "refused",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "The connector could not do it",
            "Конектор не зміг цього зробити",
            "Коннектор не смог этого сделать",
        ],
        detail: ["{reason}", "{reason}", "{reason}"],
    },
    Row {
        code: "unavailable",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        title: [
            "The other side cannot be reached at the moment",
            "Інша сторона зараз недоступна",
            "Другая сторона сейчас недоступна",
        ],
        detail: [
            "{reason}; try again later.",
            "{reason}; спробуйте пізніше.",
            "{reason}; попробуйте позже.",
        ],
    },
    Row {
        code: "internal",
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: ["The server failed", "Збій сервера", "Сбой сервера"],
        detail: [
            "The server failed; check whether it was done before you send it again. The log of the \
             server says what happened.",
            "Стався збій сервера; перш ніж надсилати ще раз, перевірте, чи не виконано запит. Що \
             сталося, записано в журналі сервера.",
            "Произошёл сбой сервера; прежде чем отправлять снова, проверьте, не выполнен ли запрос. \
             Что произошло, записано в журнале сервера.",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholders(text: &str) -> Vec<&str> {
        let mut names: Vec<_> = text
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_languages_say_the_same_with_the_same_parameters() {
        let rows = ROWS.iter().flat_map(|row| [&row.title, &row.detail]);
        let others = THINGS.iter().chain(REASONS).map(|(_, text)| text);
        for [en, uk, ru] in rows.chain(others) {
            assert_eq!(placeholders(en), placeholders(uk), "{en}");
            assert_eq!(placeholders(en), placeholders(ru), "{en}");
            for text in [en, uk, ru] {
                assert!(!text.trim().is_empty(), "{en}");
            }
        }
    }

    #[test]
    fn every_code_is_in_the_table_once() {
        for row in ROWS {
            let same = ROWS.iter().filter(|other| other.code == row.code);
            assert_eq!(1, same.count(), "{}", row.code);
        }
    }

    #[test]
    fn the_language_that_is_liked_best_is_spoken() {
        for (header, language) in [
            ("uk", Language::Uk),
            ("ru-RU,ru;q=0.9,en;q=0.8", Language::Ru),
            ("de, uk;q=0.5, en;q=0.7", Language::En),
            ("en;q=0.1, UK-ua;q=0.2", Language::Uk),
            ("fr", Language::En),
            ("", Language::En),
            ("ru;q=nonsense", Language::En),
        ] {
            assert_eq!(language, Language::accepted(header), "{header}");
        }
    }

    #[test]
    fn parameters_are_filled_in_as_they_are() {
        let filled = fill(
            "no {what} `{name}`",
            &[("what", "run".to_owned()), ("name", "{what}".to_owned())],
        );
        assert_eq!("no run `{what}`", filled);
    }
}
