//! The API's error answers: a status, and a code of the vendor's table for each thing that is wrong.
//!
//! The vendor documents statuses by class only, so the pairs stand in one table here.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::json::{self, Object, object};

/// Why a request, or an element of one, gets no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    problem: Option<Box<Problem>>,
    headers: Vec<(HeaderName, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    code: Option<u32>,
    text: String,
    parameter: Option<String>,
    place: Option<(usize, usize)>,
    dependencies: Vec<(String, &'static str)>,
}

/// Codes with their statuses and texts. `{}` stands for what the refusal is about.
const CODES: &[(u32, u16, &str)] = &[
    (1000, 400, "В адресе '{}' там, где нужен идентификатор"),
    (1002, 404, "Неопознанный путь: {}"),
    (1005, 412, "Неизвестный тип: {}"),
    (
        1006,
        400,
        "Нельзя создать объект с заданным идентификатором",
    ),
    (1007, 412, "Неизвестное поле: {}"),
    (1009, 400, "Объекты типа '{}' не редактируются"),
    (1010, 400, "Объекты типа '{}' не удаляются"),
    (1011, 400, "Объекты типа '{}' не создаются"),
    (1012, 400, "Не указан идентификатор объекта"),
    (1014, 412, "Неверное значение параметра фильтрации '{}'"),
    (1016, 403, "Доступ запрещен: нет прав на просмотр"),
    (1017, 403, "Доступ запрещен: нет прав на редактирование"),
    (1018, 403, "Доступ запрещен: нет прав на удаление"),
    (1021, 404, "Объект не найден: {}"),
    (
        1023,
        409,
        "Дочерний объект уже используется и не может быть удален: {}",
    ),
    (1024, 412, "Стандартные объекты изменять запрещено"),
    (1025, 412, "Стандартные объекты удалять запрещено"),
    (1028, 409, "Объект уже используется и не может быть удален"),
    (1034, 412, "Ошибка фильтрации: {}"),
    (1035, 412, "Ошибка фильтрации: неверный формат даты '{}'"),
    (1037, 415, "Неверно указан Content-Type запроса"),
    (1038, 414, "Адрес запроса слишком длинный"),
    (
        1039,
        405,
        "Операция {} не поддерживается для данного ресурса",
    ),
    (1040, 400, "Неверно задан параметр запроса: {}"),
    (1041, 412, "Недопустимое значение параметра фильтрации '{}'"),
    (1043, 403, "Тариф не позволяет работать с CRM"),
    (1044, 413, "Запрос больше допустимого размера"),
    (1045, 403, "Доступ запрещен: нет прав на создание"),
    (1047, 412, "Поле syncId нельзя изменить"),
    (1048, 401, "Слишком много попыток проверки имени и пароля"),
    (1049, 429, "Превышено число запросов в единицу времени"),
    (1052, 400, "Неверный формат UUID: {}"),
    (1056, 401, "Ошибка аутентификации: {}"),
    (1057, 404, "Нет объекта с syncId {}"),
    (1058, 400, "Параметры запроса не декодируются"),
    (1059, 400, "Чужой сервер в идентификаторе объекта: '{}'"),
    (1060, 400, "Тип в meta не совпадает с ожидаемым: {}"),
    (1061, 401, "У пользователя нет доступа к API"),
    (1062, 400, "Неверное значение заголовка Accept"),
    (1063, 412, "Ошибка сортировки: неизвестное поле '{}'"),
    (
        1065,
        409,
        "Объект уже изменен или удален в параллельном запросе",
    ),
    (1066, 412, "В корзину попадают только документы"),
    (1067, 412, "Корзина отключена"),
    (1070, 403, "Тариф не позволяет работать с данным ресурсом"),
    (1073, 429, "Превышено число одновременных запросов"),
    (1074, 503, "Ведутся технические работы"),
    (1088, 504, "Превышено максимальное время ответа на запрос"),
    (
        1095,
        503,
        "Приложение временно недоступно, повторите запрос",
    ),
    (2000, 400, "Ошибка формата: нет начала объекта"),
    (2001, 400, "Ошибка формата: это не JSON"),
    (
        2005,
        400,
        "Ошибка формата: JSON начинается с объекта или массива",
    ),
    (2006, 400, "Ошибка формата: слишком большая вложенность"),
    (2007, 413, "Ошибка формата: в массиве больше 1000 объектов"),
    (2009, 400, "Ошибка формата: нужен объект, а не массив"),
    (2010, 400, "Ошибка формата: нет href в meta поля '{}'"),
    (2011, 400, "Ошибка формата: нет type в meta поля '{}'"),
    (
        2012,
        400,
        "Ошибка формата: неизвестный type в meta поля '{}'",
    ),
    (
        2013,
        400,
        "Ошибка формата: неправильный href в meta поля '{}'",
    ),
    (2014, 400, "Ошибка формата: нет meta у поля '{}'"),
    (2016, 400, "Ошибка формата: значение поля '{}' не того типа"),
    (
        2022,
        413,
        "Ошибка формата: во вложенной коллекции больше 1000 элементов",
    ),
    (
        2024,
        400,
        "Ошибка формата: href указывает на сущность другого типа: {}",
    ),
    (
        2027,
        400,
        "Ошибка формата: поле '{}' не принимает сущности этого типа",
    ),
    (
        3000,
        412,
        "Ошибка сохранения: поле '{}' не может быть пустым или отсутствовать",
    ),
    (3001, 412, "Ошибка сохранения: поле '{}' не изменяется"),
    (3004, 412, "Ошибка сохранения: поле '{}' не совпадает"),
    (3035, 412, "Ошибка сохранения: поле '{}' меньше допустимого"),
    (
        3002,
        412,
        "Ошибка сохранения: поле '{}' не может быть отрицательным",
    ),
    (
        3003,
        412,
        "Ошибка сохранения: поле '{}' должно быть больше нуля",
    ),
    (
        3005,
        412,
        "Ошибка сохранения: недопустимое значение поля '{}'",
    ),
    (
        3006,
        412,
        "Ошибка сохранения: значение параметра '{}' уже занято",
    ),
    (3011, 412, "Штрихкод длиннее 255 символов"),
    (3014, 412, "Неверный формат GTIN"),
    (3015, 412, "Некорректный адрес E-mail: '{}'"),
    (3023, 412, "Не заполнено обязательное поле '{}'"),
    (
        3030,
        412,
        "Неверный префикс в заголовке отключения вебхуков: '{}'",
    ),
    (3040, 412, "Значение поля '{}' длиннее допустимого"),
    (3042, 400, "Параметр fields принимает одно значение"),
    (3043, 400, "Неизвестное значение параметра fields: '{}'"),
    (10000, 412, "Характеристика не может быть пустой"),
    (10001, 412, "Характеристика не найдена: {}"),
    (10002, 412, "Характеристика с таким именем уже есть: {}"),
    (11001, 404, "Статус не найден"),
    (11002, 412, "Статус принадлежит другому типу"),
    (13003, 403, "Нет доступа к отчету об остатках"),
    (13004, 403, "Нет доступа к краткому отчету об остатках"),
    (
        14000,
        412,
        "Дополнительное поле принадлежит другому типу: {}",
    ),
    (14003, 404, "Дополнительное поле не найдено: {}"),
    (14009, 400, "У дополнительного поля нет value: {}"),
    (14010, 403, "Нужны права администратора"),
    (
        15000,
        412,
        "Модификация с таким набором характеристик уже есть",
    ),
    (15001, 412, "У модификации нет характеристик"),
    (16008, 412, "Единица упаковки совпадает с единицей товара"),
    (16010, 412, "Поля vat и vatEnabled противоречат друг другу"),
    (17000, 412, "Счет не принадлежит организации"),
    (17001, 412, "Счет не принадлежит контрагенту"),
    (17003, 412, "Резерв больше количества"),
    (17007, 412, "НДС не может быть больше 100"),
    (17008, 412, "Скидка не может быть больше 100"),
    (17009, 412, "Дата документа в закрытом периоде"),
    (
        17016,
        412,
        "Комплект не может быть позицией этого документа",
    ),
    (17018, 412, "Количество комплектов должно быть целым"),
    (
        17021,
        412,
        "Поля vat и vatEnabled позиции противоречат друг другу",
    ),
    (23000, 412, "Группа не может лежать в самой себе"),
    (23001, 412, "Группа не может лежать во вложенной группе"),
    (29000, 412, "В комплекте должно быть от 1 до 50 компонентов"),
    (29001, 412, "Состав использованного комплекта не изменяется"),
    (29002, 412, "Компоненты комплекта повторяются"),
    (29003, 412, "Комплект не может быть компонентом"),
    (30000, 412, "Вебхук: неподдерживаемый тип '{}'"),
    (30001, 412, "Вебхук: неизвестный метод '{}'"),
    (30002, 412, "Вебхук: неизвестное действие '{}'"),
    (30003, 412, "Вебхук с таким набором параметров уже есть"),
    (30005, 412, "Вебхук: url не является адресом"),
    (30006, 403, "Тариф не позволяет вебхуки"),
    (30007, 412, "Больше 5 вебхуков одного вида создать нельзя"),
    (30009, 412, "Вебхук: diffType не подходит к действию '{}'"),
    (30010, 412, "Вебхук: url длиннее 255 символов"),
    (31000, 412, "Валюту учета нельзя удалить"),
    (31003, 412, "Курс валюты учета не изменяется"),
    (51001, 412, "У изображения нет содержимого"),
    (51002, 412, "Содержимое не является изображением"),
    (51005, 412, "У изображения нет имени файла"),
    (51006, 412, "У объекта не больше 10 изображений"),
    (55005, 403, "Контекст решения доступен только решению"),
    (55006, 403, "Контекст пользователя недоступен решению"),
];

impl Refusal {
    /// What a code of the vendor's table says. A code that is not in it is answered with 400.
    pub fn code(code: u32) -> Self {
        Self::about(code, "")
    }

    /// What a code says of a field, a path or a value.
    pub fn about(code: u32, what: impl AsRef<str>) -> Self {
        let (status, text) = CODES
            .iter()
            .find(|(known, ..)| *known == code)
            .map_or((400, "Ошибка"), |(_, status, text)| (*status, *text));
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
            problem: Some(Box::new(Problem {
                code: Some(code),
                text: text.replace("{}", what.as_ref()),
                parameter: None,
                place: None,
                dependencies: Vec::new(),
            })),
            headers: Vec::new(),
        }
    }

    /// What a code says of a field, which is told as the parameter too.
    pub fn field(code: u32, field: &str) -> Self {
        Self::about(code, field).with(|problem| problem.parameter = Some(field.to_owned()))
    }

    /// A status without a body.
    pub fn bare(status: StatusCode) -> Self {
        Self {
            status,
            problem: None,
            headers: Vec::new(),
        }
    }

    /// A failure of the server's own, without a code.
    pub fn failure(status: StatusCode) -> Self {
        Self {
            status,
            ..Self::code(0).with(|problem| {
                problem.code = None;
                problem.text = "Внутренняя ошибка сервера".to_owned();
            })
        }
    }

    /// Too many requests within a time; told how long to wait.
    pub fn over_rate(wait: Duration) -> Self {
        Self::code(1049).header("x-lognex-retry-after", wait.as_millis().max(1))
    }

    /// Too many requests at once; not told how long to wait.
    pub fn over_parallel() -> Self {
        Self::code(1073).header("x-lognex-auth", "429005")
    }

    /// The place in the body where it went wrong.
    pub fn place(self, line: usize, column: usize) -> Self {
        self.with(|problem| problem.place = Some((line, column)))
    }

    /// The objects that stand in the way: address and type.
    pub fn dependencies(self, dependencies: Vec<(String, &'static str)>) -> Self {
        self.with(|problem| problem.dependencies = dependencies)
    }

    /// A header more. Text that no header can carry is left out.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers
            .push((HeaderName::from_static(name), value.to_string()));
        self
    }

    /// Whether it says that there is no such object.
    pub fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// The code.
    #[cfg(test)]
    pub fn says(&self) -> Option<u32> {
        self.problem.as_ref().and_then(|problem| problem.code)
    }

    fn with(mut self, change: impl FnOnce(&mut Problem)) -> Self {
        if let Some(problem) = &mut self.problem {
            change(problem);
        }
        self
    }

    /// Writes `{"errors":[…]}`, as an element of a reply to an array.
    pub fn write(&self, out: &mut String) {
        object(out, |inner| {
            inner.objects("errors", self.problem.iter(), |out, problem| {
                problem.write(out);
            });
        });
    }
}

impl Problem {
    fn write(&self, out: &mut Object<'_>) {
        out.put("error", &self.text);
        if let Some(code) = self.code {
            out.put("code", code);
            let about = format!("https://dev.moysklad.ru/doc/api/remap/1.2/#error_{code}");
            out.put("moreInfo", about);
        }
        if let Some(parameter) = &self.parameter {
            out.put("parameter", parameter);
        }
        if let Some((line, column)) = self.place {
            out.put("line", line);
            out.put("column", column);
        }
        if !self.dependencies.is_empty() {
            let dependencies = self.dependencies.iter();
            out.objects("dependencies", dependencies, |out, (href, kind)| {
                out.put("href", href);
                out.put("type", *kind);
                out.put("mediaType", "application/json");
            });
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = if self.problem.is_some() {
            let mut body = String::new();
            self.write(&mut body);
            json::answer(body)
        } else {
            Response::new(Body::empty())
        };
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// An answer of JSON text, with the content type of this vendor.
pub fn json(text: String) -> Response {
    let mut response = json::answer(text);
    let kind = HeaderValue::from_static("application/json;charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
