// Orders of KeyCRM → ERP, in JavaScript: it shows that a connector needs no Rust, and how much one with
// a garbage collector takes of its host.
//
// Orders are read by ascending id, a page at a time, and each page is a checkpoint. The next run goes on
// at the page that was read last, so it finds what is new; what changes later it does not follow.

import { log, reject, settings, checkpoint, context } from 'tenon:runtime/run@0.2.0';
import { get as load, set as store } from 'tenon:runtime/storage@0.2.0';
import { save as savePartners } from 'tenon:erp/partners@0.2.0';
import { save as saveOrders } from 'tenon:erp/orders@0.2.0';

const PAGE_SIZE = 50;
const PAGE = 'page';

const reasons = {
    'crm.key': {
        en: 'KeyCRM does not accept the API key',
        uk: 'KeyCRM не приймає ключ API',
        ru: 'KeyCRM не принимает ключ API',
    },
    'crm.answer': {
        en: 'KeyCRM answered with status {status}',
        uk: 'KeyCRM відповів зі статусом {status}',
        ru: 'KeyCRM ответил со статусом {status}',
    },
    'crm.storage': {
        en: 'The connection has no room for its place in the list',
        uk: 'У підключення немає місця для позиції у списку',
        ru: 'У подключения нет места для позиции в списке',
    },
    'run.read': {
        en: '{count} orders read',
        uk: 'Прочитано замовлень: {count}',
        ru: 'Прочитано заказов: {count}',
    },
};

/** A reason of ours. */
const reason = (code, args = {}, mend = undefined) => ({
    code,
    args: Object.entries(args).map(([name, value]) => [name, String(value)]),
    mend,
    detail: undefined,
});

/** Ends a call of ours; the host takes what is thrown for the error of its result. */
const fail = (kind, why) => {
    throw { tag: kind, val: why };
};

const text = (texts) => Object.entries(texts);

// ---- the counterpart

/** Reads from KeyCRM; the host signs. */
async function read(path, query) {
    const { base_url } = JSON.parse(settings());
    const answer = await fetch(`${base_url}${path}?${new URLSearchParams(query)}`);
    if (answer.status === 401 || answer.status === 403) {
        fail('configuration', reason('crm.key', {}, { tag: 'credential', val: 'api_key' }));
    }
    if (!answer.ok) {
        fail('transient', reason('crm.answer', { status: answer.status }));
    }
    return answer.json();
}

// ---- their records to ours

/** The exact number of a JSON number or text. */
function decimal(value) {
    const [whole, fraction = ''] = String(value ?? 0).split('.');
    return { units: BigInt(whole + fraction), scale: fraction.length };
}

const ZERO = decimal(0);

const instant = (value) => (value ? BigInt(Date.parse(value)) : undefined);

function partnerOf(buyer, owner) {
    return {
        key: undefined,
        origin: `${owner}:buyer:${buyer.id}`,
        role: 'customer',
        name: buyer.full_name || `KeyCRM ${buyer.id}`,
        taxId: undefined,
        emails: [].concat(buyer.email ?? []),
        phones: [].concat(buyer.phone ?? []),
        address: undefined,
        attributes: [],
        version: undefined,
        changedAt: undefined,
    };
}

function lineOf(line, index, owner) {
    const id = String(line.id ?? index + 1);
    return {
        id,
        origin: `${owner}:line:${id}`,
        product: undefined,
        productVariant: undefined,
        name: line.name,
        sku: line.sku ?? undefined,
        unit: line.unit_type ?? undefined,
        quantity: decimal(line.quantity),
        reserved: ZERO,
        shipped: ZERO,
        price: decimal(line.price),
        discount: ZERO,
        vat: undefined,
        refused: false,
        cancelReason: undefined,
        attributes: [],
    };
}

function orderOf(order, partner, owner, currency) {
    return {
        key: undefined,
        origin: `${owner}:order:${order.id}`,
        direction: 'sale',
        number: String(order.id),
        createdAt: instant(order.ordered_at ?? order.created_at),
        stage: undefined,
        source: undefined,
        partner,
        organization: undefined,
        warehouse: undefined,
        manager: undefined,
        author: undefined,
        agreement: undefined,
        currency,
        lines: (order.products ?? []).map((line, index) => lineOf(line, index, owner)),
        discount: decimal(order.total_discount),
        charges: [],
        delivery: undefined,
        payments: [],
        reserve: false,
        comment: order.buyer_comment ?? undefined,
        documents: [],
        attributes: [],
        version: undefined,
        changedAt: undefined,
    };
}

const OWNED = {
    number: true,
    createdAt: true,
    partner: true,
    currency: true,
    lines: true,
    discount: true,
    comment: true,
};

// ---- the job

/** Saves the buyers of a page; their keys by their ids. */
function saveBuyers(orders, owner) {
    const buyers = new Map();
    for (const { buyer } of orders) {
        if (buyer) buyers.set(buyer.id, partnerOf(buyer, owner));
    }
    const ids = [...buyers.keys()];
    const saved = savePartners([...buyers.values()], { name: true, emails: true, phones: true });
    const kept = saved.map((one, index) => [ids[index], one.tag === 'ok' ? one.val.key : undefined]);
    return new Map(kept);
}

/** Saves a page of orders, and counts what came of each. */
function saveAll(orders, owner, currency, counts) {
    const partners = saveBuyers(orders, owner);
    const mapped = orders.map((order) =>
        orderOf(order, partners.get(order.buyer?.id), owner, currency),
    );
    const rejected = [];
    saveOrders(mapped, OWNED).forEach((saved, index) => {
        if (saved.tag === 'ok') {
            counts[saved.val.effect] += 1n;
        } else {
            counts.failed += 1n;
            rejected.push({
                recordKind: 'order',
                subject: { tag: 'origin', val: mapped[index].origin },
                label: mapped[index].number,
                reason: saved.val.val,
            });
        }
    });
    if (rejected.length > 0) reject(rejected);
}

function lastPage() {
    const [value] = load([PAGE]);
    return value ? Number(new TextDecoder().decode(value)) : 1;
}

function keepPage(page) {
    try {
        store([[PAGE, new TextEncoder().encode(String(page))]]);
    } catch {
        fail('configuration', reason('crm.storage'));
    }
}

async function orders() {
    const { account, currency } = context();
    const owner = `keycrm-javascript:${account ?? 'unchecked'}`;
    const counts = { done: 0n, total: undefined, created: 0n, updated: 0n, unchanged: 0n, failed: 0n };
    for (let page = lastPage(); ; page += 1) {
        const answer = await read('/order', {
            limit: PAGE_SIZE,
            page,
            sort: 'id',
            include: 'buyer,products',
        });
        saveAll(answer.data, owner, currency, counts);
        keepPage(page);
        counts.done += BigInt(answer.data.length);
        const directive = checkpoint(counts);
        if (answer.data.length < PAGE_SIZE) {
            log('info', reason('run.read', { count: counts.done }), undefined);
            return 'done';
        }
        if (directive === 'stop') return 'suspended';
    }
}

// ---- the contract

export const sync = {
    describe: () => ({
        name: 'keycrm-javascript',
        version: '0.1.0',
        title: text({
            en: 'KeyCRM orders, in JavaScript',
            uk: 'Замовлення KeyCRM, на JavaScript',
            ru: 'Заказы KeyCRM, на JavaScript',
        }),
        settingsSchema: JSON.stringify({
            type: 'object',
            required: ['base_url'],
            properties: {
                base_url: {
                    type: 'string',
                    'x-titles': { en: 'API address', uk: 'Адреса API', ru: 'Адрес API' },
                },
            },
        }),
        options: [],
        credentials: [
            {
                name: 'api_key',
                title: text({ en: 'API key', uk: 'Ключ API', ru: 'Ключ API' }),
                scheme: { tag: 'bearer' },
            },
        ],
        endpoints: [
            {
                origin: '{settings.base_url}',
                credentials: ['api_key'],
                budgets: [{ units: 60, windowMs: 60_500n, credential: undefined }],
                parallel: 1,
                costs: [],
                reads: [],
                redirects: false,
            },
        ],
        webhooks: undefined,
        jobs: [
            {
                id: 'orders',
                title: text({
                    en: 'Load orders',
                    uk: 'Отримати замовлення',
                    ru: 'Получить заказы',
                }),
                schedule: '*/10 * * * *',
                listensTo: [],
            },
        ],
        actions: [],
        stateVersion: 1,
        reasons: Object.entries(reasons).map(([code, texts]) => ({ code, text: text(texts) })),
    }),

    choices: () => [],

    check: async () => {
        const { data } = await read('/order', { limit: 3, page: 1, sort: 'id' });
        return {
            id: undefined,
            name: 'KeyCRM',
            facts: data.map((order, index) => [`order ${index + 1}`, `${order.id} ${order.created_at}`]),
            notes: [],
        };
    },

    enable: () => {},
    disable: () => {},
    receive: () => [],
    run: () => orders(),
    migrate: () => {},
};
