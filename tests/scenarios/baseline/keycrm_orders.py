"""The yardstick: the same orders in the same database engine, by a plain script.

It pages through the orders, looks partners and products up, and upserts everything. It has none of
the guarantees: no sandbox, no resuming, no exact money, no change detection, no conflict checks.

usage: keycrm_orders.py BASE_URL API_KEY FROM TO DATABASE
"""

import http.client
import json
import sqlite3
import sys
from urllib.parse import urlencode, urlsplit

base, key, start, end, path = sys.argv[1:]
url = urlsplit(base)
connection = http.client.HTTPConnection(url.netloc)
db = sqlite3.connect(path)
db.executescript(
    """
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS stages (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE IF NOT EXISTS sources (id INTEGER PRIMARY KEY, name TEXT, currency TEXT);
    CREATE TABLE IF NOT EXISTS partners (
        id INTEGER PRIMARY KEY, crm_id INTEGER UNIQUE, name TEXT, phone TEXT, email TEXT);
    CREATE INDEX IF NOT EXISTS partners_phone ON partners (phone);
    CREATE INDEX IF NOT EXISTS partners_email ON partners (email);
    CREATE TABLE IF NOT EXISTS products (
        id INTEGER PRIMARY KEY, crm_id INTEGER UNIQUE, sku TEXT, name TEXT, unit TEXT);
    CREATE INDEX IF NOT EXISTS products_sku ON products (sku);
    CREATE INDEX IF NOT EXISTS products_name ON products (name);
    CREATE TABLE IF NOT EXISTS orders (
        id INTEGER PRIMARY KEY, number TEXT, ordered_at TEXT, stage INTEGER, source INTEGER,
        partner INTEGER, manager INTEGER, currency TEXT, discount REAL, total REAL, comment TEXT,
        delivery_service TEXT, delivery_cost REAL, address TEXT, recipient TEXT, phone TEXT,
        tracking TEXT);
    CREATE INDEX IF NOT EXISTS orders_number ON orders (number);
    CREATE TABLE IF NOT EXISTS lines (
        id INTEGER PRIMARY KEY, order_id INTEGER, product INTEGER, name TEXT, sku TEXT, unit TEXT,
        quantity REAL, price REAL, discount REAL);
    CREATE INDEX IF NOT EXISTS lines_order ON lines (order_id);
    CREATE TABLE IF NOT EXISTS payments (
        id INTEGER PRIMARY KEY, order_id INTEGER, amount REAL, paid_at TEXT, comment TEXT);
    CREATE INDEX IF NOT EXISTS payments_order ON payments (order_id);
    """
)


def get(resource, **query):
    connection.request(
        "GET",
        f"{url.path}/{resource}?{urlencode(query)}",
        headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
    )
    return json.loads(connection.getresponse().read())


def number(value):
    return float(value) if value not in (None, "") else 0.0


def partner_of(buyer):
    if not buyer:
        return None
    found = db.execute("SELECT id FROM partners WHERE crm_id = ?", (buyer["id"],)).fetchone()
    phone, email = buyer.get("phone"), buyer.get("email")
    if not found and phone:
        found = db.execute("SELECT id FROM partners WHERE phone = ?", (phone,)).fetchone()
    if not found and email:
        found = db.execute("SELECT id FROM partners WHERE email = ?", (email,)).fetchone()
    if found:
        return found[0]
    return db.execute(
        "INSERT INTO partners (crm_id, name, phone, email) VALUES (?, ?, ?, ?)",
        (buyer["id"], buyer.get("full_name"), phone, email),
    ).lastrowid


def product_of(line):
    offer = line.get("offer") or {}
    found = None
    if offer.get("id"):
        found = db.execute("SELECT id FROM products WHERE crm_id = ?", (offer["id"],)).fetchone()
    if not found and line.get("sku"):
        found = db.execute("SELECT id FROM products WHERE sku = ?", (line["sku"],)).fetchone()
    if not found:
        found = db.execute("SELECT id FROM products WHERE name = ?", (line["name"],)).fetchone()
    if found:
        return found[0]
    return db.execute(
        "INSERT INTO products (crm_id, sku, name, unit) VALUES (?, ?, ?, ?)",
        (offer.get("id"), line.get("sku"), line["name"], line.get("unit_type") or "шт"),
    ).lastrowid


def upsert(table, row):
    columns = list(row)
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    db.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT ({columns[0]}) DO UPDATE SET {changes}",
        list(row.values()),
    )


for source in get("order/source", limit=50)["data"]:
    upsert("sources", {k: source.get(v) for k, v in
                       (("id", "id"), ("name", "name"), ("currency", "currency_code"))})

page, last, orders = 1, 1, 0
while page <= last:
    answer = get(
        "order",
        include="buyer,products.offer,manager,status,payments,shipping.deliveryService",
        sort="id",
        limit=50,
        page=page,
        **{"filter[created_between]": f"{start},{end}"},
    )
    last = answer.get("last_page") or -(-answer["total"] // answer["per_page"])
    for order in answer["data"]:
        shipping = order.get("shipping") or {}
        status = order.get("status")
        if status:
            upsert("stages", {"id": status["id"], "name": status["name"]})
        buyer = order.get("buyer") or {}
        upsert("orders", {
            "id": order["id"],
            "number": str(order["id"]),
            "ordered_at": order.get("ordered_at"),
            "stage": order.get("status_id"),
            "source": order.get("source_id"),
            "partner": partner_of(order.get("buyer")),
            "manager": (order.get("manager") or {}).get("id"),
            "currency": "UAH",
            "discount": number(order.get("total_discount")),
            "total": number(order.get("grand_total")),
            "comment": order.get("source_uuid"),
            "delivery_service": (shipping.get("delivery_service") or {}).get("name"),
            "delivery_cost": number(order.get("shipping_price")),
            "address": shipping.get("full_address"),
            "recipient": shipping.get("recipient_full_name") or buyer.get("full_name"),
            "phone": shipping.get("recipient_phone") or buyer.get("phone"),
            "tracking": shipping.get("tracking_code"),
        })
        for line in order.get("products") or []:
            upsert("lines", {
                "id": line["id"],
                "order_id": order["id"],
                "product": product_of(line),
                "name": line["name"],
                "sku": line.get("sku"),
                "unit": line.get("unit_type") or "шт",
                "quantity": number(line.get("quantity")),
                "price": number(line.get("price")),
                "discount": (number(line.get("price")) - number(line.get("price_sold")))
                * number(line.get("quantity")),
            })
        for payment in order.get("payments") or []:
            if not payment.get("is_expense") and payment.get("status") != "canceled":
                upsert("payments", {
                    "id": payment["id"],
                    "order_id": order["id"],
                    "amount": number(payment.get("amount")),
                    "paid_at": payment.get("payment_date"),
                    "comment": payment.get("description"),
                })
        orders += 1
    db.commit()
    page += 1

print(orders)
