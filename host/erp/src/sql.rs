//! Every statement on the tables, in one place, so that one test can ask SQLite how it answers
//! each: a look-up that reads a whole table would grow with the tenant.

/// A statement that reads whole records of a table, named `r`.
macro_rules! records {
    ($from:literal) => {
        concat!(
            "SELECT r.id, r.key, r.origin, r.version, r.changed_at, r.position, r.doc,
                r.said FROM ",
            $from
        )
    };
}

macro_rules! statements {
    ($($name:ident = $sql:expr;)*) => {
        $(pub(crate) const $name: &str = $sql;)*

        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

statements! {
    POSITION = "SELECT value FROM counters WHERE name = 'position'";
    SET_POSITION = "UPDATE counters SET value = ?1 WHERE name = 'position'";
    SETTING = "SELECT value FROM settings WHERE name = ?1";
    SET_SETTING = "INSERT INTO settings VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";

    ENTRIES = "SELECT key, name, code, origin, archived, organization, warehouse
        FROM entries
        WHERE directory = ?1 ORDER BY id";
    ENTRIES_PAGE = "SELECT id, key, name, code, origin, archived, organization, warehouse
        FROM entries
        WHERE directory = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    ENTRY_BY_KEY = "SELECT id, key, origin FROM entries WHERE directory = ?1 AND key = ?2";
    ENTRY_BY_ORIGIN = "SELECT id, key, origin FROM entries WHERE directory = ?1 AND origin = ?2";
    ENTRY_BY_NAME = "SELECT id, key, origin FROM entries
        WHERE directory = ?1 AND folded_name = ?2 ORDER BY id LIMIT 1";
    ENTRY_BY_ID = "SELECT key, name, code, origin, archived, organization, warehouse
        FROM entries WHERE id = ?1";
    LAST_ENTRY = "SELECT max(seq) FROM sqlite_sequence WHERE name = 'entries'";
    ADD_ENTRY = "INSERT INTO entries (id, directory, key, origin, name, folded_name, code, archived,
        organization, warehouse) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    SET_ENTRY = "UPDATE entries SET origin = ?2, name = ?3, folded_name = ?4, code = ?5,
        archived = ?6, organization = ?7, warehouse = ?8 WHERE id = ?1";
    SET_ENTRY_ORIGIN = "UPDATE entries SET origin = ?2 WHERE id = ?1";
    REMOVE_ENTRY = "DELETE FROM entries WHERE directory = ?1 AND key = ?2";

    CATEGORY_ROW_BY_ID = "SELECT id FROM categories WHERE id = ?1 AND key IS NULL";
    CATEGORY_ROW_BY_KEY = "SELECT id FROM categories WHERE key = ?1";
    CATEGORY_ROW = "SELECT id FROM categories WHERE id = ?1";
    CATEGORY_BY_ID = records!("categories AS r WHERE r.id = ?1 AND r.key IS NULL");
    CATEGORY_BY_KEY = records!("categories AS r WHERE r.key = ?1");
    CATEGORY_BY_ORIGIN = records!("categories AS r WHERE r.origin = ?1");
    CATEGORIES_PAGE = records!("categories AS r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2");
    WRITE_CATEGORY = "INSERT INTO categories
            (id, key, origin, version, changed_at, position, said, doc)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, version = excluded.version,
            changed_at = excluded.changed_at, position = excluded.position, said = excluded.said,
            doc = excluded.doc";
    HEAR_CATEGORY = "UPDATE categories SET doc = ?2, said = ?3 WHERE id = ?1";
    REMOVE_CATEGORY = "DELETE FROM categories WHERE id = ?1";

    PRODUCT_ROW_BY_ID = "SELECT id FROM products WHERE id = ?1 AND key IS NULL";
    PRODUCT_ROW_BY_KEY = "SELECT id FROM products WHERE key = ?1";
    PRODUCT_ROW = "SELECT id FROM products WHERE id = ?1";
    PRODUCT_BY_ID = records!("products AS r WHERE r.id = ?1 AND r.key IS NULL");
    PRODUCT_BY_KEY = records!("products AS r WHERE r.key = ?1");
    PRODUCT_BY_ORIGIN = records!("products AS r WHERE r.origin = ?1");
    // A card that is in use comes before one that was laid aside.
    PRODUCT_BY_NAME = records!(
        "products AS r WHERE r.folded_name = ?1
        ORDER BY r.doc ->> 'archived' IS NOT NULL, r.id LIMIT 1"
    );
    PRODUCT_BY_SKU = records!(
        "products AS r WHERE r.sku = ?1
        ORDER BY r.doc ->> 'archived' IS NOT NULL, r.id LIMIT 1"
    );
    PRODUCT_BY_BRAND_AND_SKU = records!(
        "products AS r WHERE r.sku = ?1 AND r.folded_brand = ?2
        ORDER BY r.doc ->> 'archived' IS NOT NULL, r.id LIMIT 1"
    );
    PRODUCT_BY_VARIANT_SKU = records!(
        "variants AS v JOIN products AS r ON r.id = v.product
        WHERE v.sku = ?1 ORDER BY r.doc ->> 'archived' IS NOT NULL, v.product LIMIT 1"
    );
    PRODUCT_BY_BRAND_AND_VARIANT_SKU = records!(
        "variants AS v JOIN products AS r ON r.id = v.product
        WHERE v.sku = ?1 AND r.folded_brand = ?2
        ORDER BY r.doc ->> 'archived' IS NOT NULL, v.product LIMIT 1"
    );
    PRODUCTS_CHANGED = records!("products AS r WHERE r.position > ?1 ORDER BY r.position LIMIT ?2");
    PRODUCTS_PAGE = records!("products AS r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2");
    WRITE_PRODUCT = "INSERT INTO products
            (id, key, origin, version, changed_at, position, said, doc, folded_name, sku,
            folded_brand)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, version = excluded.version,
            changed_at = excluded.changed_at, position = excluded.position, said = excluded.said,
            doc = excluded.doc,
            folded_name = excluded.folded_name, sku = excluded.sku,
            folded_brand = excluded.folded_brand";
    HEAR_PRODUCT = "UPDATE products SET doc = ?2, said = ?3 WHERE id = ?1";
    REMOVE_PRODUCT = "DELETE FROM products WHERE id = ?1";
    VARIANT_OWNER = "SELECT product FROM variants WHERE key = ?1";
    VARIANTS = "SELECT key, sku FROM variants WHERE product = ?1";
    WRITE_VARIANT = "INSERT INTO variants (key, product, sku) VALUES (?1, ?2, ?3)
        ON CONFLICT (key) DO UPDATE SET sku = excluded.sku";
    REMOVE_VARIANT = "DELETE FROM variants WHERE key = ?1";
    REMOVE_VARIANT_STOCK = "DELETE FROM stock WHERE product = ?1 AND variant = ?2";
    IMAGES = "SELECT file_name, digest FROM images WHERE product = ?1";
    IMAGE = "SELECT content FROM images WHERE product = ?1 AND digest = ?2 LIMIT 1";
    WRITE_IMAGE = "INSERT INTO images (product, file_name, digest, content) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (product, file_name) DO UPDATE SET digest = excluded.digest,
            content = excluded.content";
    REMOVE_IMAGE = "DELETE FROM images WHERE product = ?1 AND file_name = ?2";

    STOCK_OF = "SELECT variant, warehouse, on_hand, reserved, available FROM stock
        WHERE product = ?1 AND (?2 IS NULL OR warehouse = ?2) ORDER BY id";
    STOCK_LEVEL = "SELECT id, on_hand, reserved, available FROM stock
        WHERE product = ?1 AND variant = ?2 AND warehouse = ?3";
    ADD_STOCK = "INSERT INTO stock
            (product, variant, warehouse, on_hand, reserved, available, position)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    SET_STOCK = "UPDATE stock SET on_hand = ?2, reserved = ?3, available = ?4, position = ?5
        WHERE id = ?1";
    STOCK_CHANGED = "SELECT s.position, coalesce(p.key, CAST(p.id AS TEXT)), s.variant, s.warehouse, s.on_hand,
            s.reserved, s.available
        FROM stock AS s JOIN products AS p ON p.id = s.product
        WHERE s.position > ?1 ORDER BY s.position LIMIT ?2";
    STOCK_PAGE = "SELECT s.id, coalesce(p.key, CAST(p.id AS TEXT)), s.variant, s.warehouse, s.on_hand,
            s.reserved, s.available
        FROM stock AS s JOIN products AS p ON p.id = s.product
        WHERE s.id > ?1 ORDER BY s.id LIMIT ?2";

    PARTNER_ROW_BY_ID = "SELECT id FROM partners WHERE id = ?1 AND key IS NULL";
    PARTNER_ROW_BY_KEY = "SELECT id FROM partners WHERE key = ?1";
    PARTNER_ROW = "SELECT id FROM partners WHERE id = ?1";
    PARTNER_BY_ID = records!("partners AS r WHERE r.id = ?1 AND r.key IS NULL");
    PARTNER_BY_KEY = records!("partners AS r WHERE r.key = ?1");
    PARTNER_BY_ORIGIN = records!("partners AS r WHERE r.origin = ?1");
    PARTNER_BY_TAX_ID = records!("partners AS r WHERE r.tax_id = ?1 ORDER BY r.id LIMIT 1");
    // Who buys comes before who sells: most who ask look for a buyer.
    PARTNER_BY_CONTACT = records!(
        "contacts AS c JOIN partners AS r ON r.id = c.partner
        WHERE c.kind = ?1 AND c.value = ?2
        ORDER BY r.doc ->> 'role' IS 'supplier', c.partner LIMIT 1"
    );
    PARTNERS_CHANGED = records!("partners AS r WHERE r.position > ?1 ORDER BY r.position LIMIT ?2");
    PARTNERS_PAGE = records!("partners AS r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2");
    WRITE_PARTNER = "INSERT INTO partners
            (id, key, origin, version, changed_at, position, said, doc, tax_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, version = excluded.version,
            changed_at = excluded.changed_at, position = excluded.position, said = excluded.said,
            doc = excluded.doc,
            tax_id = excluded.tax_id";
    HEAR_PARTNER = "UPDATE partners SET doc = ?2, said = ?3 WHERE id = ?1";
    REMOVE_PARTNER = "DELETE FROM partners WHERE id = ?1";
    CONTACTS = "SELECT kind, value FROM contacts WHERE partner = ?1";
    ADD_CONTACT = "INSERT OR IGNORE INTO contacts (kind, value, partner) VALUES (?1, ?2, ?3)";
    REMOVE_CONTACT = "DELETE FROM contacts WHERE kind = ?1 AND value = ?2 AND partner = ?3";
    BALANCE = "SELECT amount, currency FROM balances WHERE partner = ?1";
    SET_BALANCE = "INSERT INTO balances VALUES (?1, ?2, ?3)
        ON CONFLICT (partner) DO UPDATE SET amount = excluded.amount, currency = excluded.currency";

    ORDER_ROW = "SELECT id FROM orders WHERE id = ?1";
    ORDER_BY_ID = records!("orders AS r WHERE r.id = ?1 AND r.key IS NULL");
    ORDER_BY_KEY = records!("orders AS r WHERE r.key = ?1");
    ORDER_BY_ORIGIN = records!("orders AS r WHERE r.origin = ?1");
    ORDER_BY_NUMBER = records!("orders AS r WHERE r.number = ?1 ORDER BY r.id LIMIT 1");
    SALES_CHANGED = records!(
        "orders AS r WHERE r.direction = 'sale' AND r.position > ?1 ORDER BY r.position LIMIT ?2"
    );
    PURCHASES_CHANGED = records!(
        "orders AS r WHERE r.direction = 'purchase' AND r.position > ?1
        ORDER BY r.position LIMIT ?2"
    );
    ORDERS_PAGE = records!("orders AS r WHERE r.id > ?1 ORDER BY r.id LIMIT ?2");
    WRITE_ORDER = "INSERT INTO orders
            (id, key, origin, version, changed_at, position, said, doc, direction, number)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, version = excluded.version,
            changed_at = excluded.changed_at, position = excluded.position, said = excluded.said,
            doc = excluded.doc,
            number = excluded.number";
    HEAR_ORDER = "UPDATE orders SET doc = ?2, said = ?3 WHERE id = ?1";
    REMOVE_ORDER = "DELETE FROM orders WHERE id = ?1";
    ORDER_ERROR = "SELECT error FROM orders WHERE id = ?1";
    SET_ORDER_ERROR = "UPDATE orders SET error = ?2 WHERE id = ?1 AND error IS NOT ?2";
    ATTACHMENTS = "SELECT file_name FROM attachments WHERE order_id = ?1 ORDER BY file_name";
    ATTACHMENT = "SELECT content FROM attachments WHERE order_id = ?1 AND file_name = ?2";
    WRITE_ATTACHMENT = "INSERT INTO attachments (order_id, file_name, content) VALUES (?1, ?2, ?3)
        ON CONFLICT (order_id, file_name) DO UPDATE SET content = excluded.content";

    REMOVED = "SELECT position, key FROM tombstones
        WHERE stream = ?1 AND position > ?2 ORDER BY position LIMIT ?3";
    BURY = "INSERT INTO tombstones (stream, position, key) VALUES (?1, ?2, ?3)";
    UNBURY = "DELETE FROM tombstones WHERE stream = ?1 AND key = ?2";

    STORED = "SELECT value FROM storage WHERE connection = ?1 AND key = ?2";
    STORE = "INSERT INTO storage VALUES (?1, ?2, ?3)
        ON CONFLICT (connection, key) DO UPDATE SET value = excluded.value";
    UNSTORE = "DELETE FROM storage WHERE connection = ?1 AND key = ?2";
    SCAN_FROM = "SELECT key, value FROM storage
        WHERE connection = ?1 AND key >= ?2 ORDER BY key LIMIT ?3";
    SCAN_AFTER = "SELECT key, value FROM storage
        WHERE connection = ?1 AND key > ?2 ORDER BY key LIMIT ?3";
    STORED_BYTES = "SELECT bytes FROM storage_sizes WHERE connection = ?1";

    BINDING_BY_ORIGIN = "SELECT kind, key, origin, fingerprint FROM bindings
        WHERE connection = ?1 AND kind = ?2 AND origin = ?3";
    BINDING_BY_KEY = "SELECT kind, key, origin, fingerprint FROM bindings
        WHERE connection = ?1 AND kind = ?2 AND key = ?3 ORDER BY id LIMIT 1";
    BIND = "INSERT INTO bindings (connection, kind, origin, key, fingerprint)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (connection, kind, origin)
        DO UPDATE SET key = excluded.key, fingerprint = excluded.fingerprint";
    UNBIND = "DELETE FROM bindings WHERE connection = ?1 AND kind = ?2 AND key = ?3";
    UNBIND_ORIGIN = "DELETE FROM bindings WHERE connection = ?1 AND kind = ?2 AND origin = ?3";
    SEARCH_BINDINGS = "SELECT kind, key, origin, fingerprint FROM bindings
        WHERE connection = ?1 AND (kind, origin) >= (?2, ?3)
            AND (instr(lower(key), lower(?4)) > 0 OR instr(lower(origin), lower(?4)) > 0)
        ORDER BY kind, origin LIMIT ?5";
    SEARCH_BINDINGS_OF_KIND = "SELECT kind, key, origin, fingerprint FROM bindings
        WHERE connection = ?1 AND kind = ?2 AND origin >= ?3
            AND (instr(lower(key), lower(?4)) > 0 OR instr(lower(origin), lower(?4)) > 0)
        ORDER BY origin LIMIT ?5";
    BINDINGS_PAGE = "SELECT id, connection, kind, key, origin, fingerprint FROM bindings
        WHERE id > ?1 ORDER BY id LIMIT ?2";

    SET_TIMER = "INSERT INTO timers (connection, name, job, due, argument)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (connection, name) DO UPDATE SET job = excluded.job, due = excluded.due,
            argument = excluded.argument";
    COUNT_TIMERS = "SELECT count(*) FROM timers WHERE connection = ?1";
    CANCEL_TIMER = "DELETE FROM timers WHERE connection = ?1 AND name = ?2";
    DUE_TIMERS = "SELECT name, job, due, argument FROM timers
        WHERE connection = ?1 AND due <= ?2 ORDER BY due, name LIMIT ?3";
    MOVE_DUE = "UPDATE timers SET due = due + ?2 WHERE connection = ?1";
    NEXT_TIMER = "SELECT due FROM timers WHERE connection = ?1 ORDER BY due LIMIT 1";
    DROP_TIMER = "DELETE FROM timers WHERE connection = ?1 AND name = ?2 AND job = ?3
        AND due = ?4 AND argument IS ?5";

    HIGHEST_FENCE = "SELECT ifnull(max(token), 0) FROM fences";
    FENCE = "SELECT token FROM fences WHERE connection = ?1";
    RAISE_FENCE = "INSERT INTO fences VALUES (?1, ?2)
        ON CONFLICT (connection) DO UPDATE SET token = excluded.token
            WHERE excluded.token >= token";

    OPEN_SNAPSHOT = "INSERT INTO snapshots VALUES (?1, ?2)";
    SNAPSHOT = "SELECT state_version FROM snapshots WHERE connection = ?1";
    KEEP_STORAGE = "INSERT INTO snapshot_storage
        SELECT connection, key, value FROM storage WHERE connection = ?1";
    KEEP_BINDINGS = "INSERT INTO snapshot_bindings
        SELECT connection, kind, origin, key, fingerprint, id FROM bindings WHERE connection = ?1";
    KEEP_TIMERS = "INSERT INTO snapshot_timers
        SELECT connection, name, job, due, argument FROM timers WHERE connection = ?1";
    RESTORE_STORAGE = "INSERT INTO storage
        SELECT connection, key, value FROM snapshot_storage WHERE connection = ?1";
    DOUBT_BINDINGS = "UPDATE bindings SET fingerprint = NULL
        WHERE connection = ?1 AND fingerprint IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM snapshot_bindings AS s
            WHERE s.connection = bindings.connection AND s.kind = bindings.kind
                AND s.origin = bindings.origin AND s.key = bindings.key
                AND s.fingerprint IS bindings.fingerprint
        )";
    RESTORE_BINDINGS = "INSERT INTO bindings (connection, kind, origin, key)
        SELECT connection, kind, origin, key FROM snapshot_bindings
        WHERE connection = ?1 ORDER BY place
        ON CONFLICT (connection, kind, origin) DO NOTHING";
    RESTORE_TIMERS = "INSERT INTO timers (connection, name, job, due, argument)
        SELECT connection, name, job, due, argument FROM snapshot_timers WHERE connection = ?1";

    REMOVE_STORAGE = "DELETE FROM storage WHERE connection = ?1";
    REMOVE_STORAGE_SIZE = "DELETE FROM storage_sizes WHERE connection = ?1";
    REMOVE_BINDINGS = "DELETE FROM bindings WHERE connection = ?1";
    REMOVE_TIMERS = "DELETE FROM timers WHERE connection = ?1";
    REMOVE_RUNS = "DELETE FROM runs WHERE connection = ?1";
    REMOVE_FENCE = "DELETE FROM fences WHERE connection = ?1";
    REMOVE_SNAPSHOT = "DELETE FROM snapshots WHERE connection = ?1";

    KEEP_RUN = "INSERT INTO runs (id, connection, doc) VALUES (?1, ?2, ?3)
        ON CONFLICT (id) DO UPDATE SET connection = excluded.connection, doc = excluded.doc";
    KEPT_RUN = "SELECT doc FROM runs
        WHERE id >= ?1 AND connection = ?2 AND doc ->> '$.fence' = ?3 LIMIT 1";
    ACCOUNT = "SELECT doc FROM accounts WHERE connection = ?1 AND is_current";
    ACCOUNTS = "SELECT doc FROM accounts ORDER BY connection, id";
    LEAVE_ACCOUNT = "UPDATE accounts SET is_current = 0 WHERE connection = ?1 AND id <> ?2";
    ENTER_ACCOUNT = "INSERT INTO accounts VALUES (?1, ?2, 1, ?3)
        ON CONFLICT (connection, id) DO UPDATE SET is_current = 1, doc = excluded.doc";
    OWN_ACCOUNTS = "SELECT id FROM accounts WHERE connection = ?1";
    DISOWN_ACCOUNTS = "UPDATE OR REPLACE accounts SET connection = '', is_current = 0
        WHERE connection = ?1";
    MOVE_STORAGE = "UPDATE storage SET connection = ?2 WHERE connection = ?1";
    MOVE_STORAGE_SIZE = "UPDATE storage_sizes SET connection = ?2 WHERE connection = ?1";
    MOVE_BINDINGS = "UPDATE bindings SET connection = ?2 WHERE connection = ?1";
    MOVE_TIMERS = "UPDATE timers SET connection = ?2 WHERE connection = ?1";
    FORGET_RUNS = "DELETE FROM runs WHERE id IN (
        SELECT id FROM runs WHERE id < ?1 AND substr(id, 9, 1) = 'T' ORDER BY id LIMIT ?2)";
    RUNS_PAGE = "SELECT id, doc FROM runs WHERE id > ?1 ORDER BY id LIMIT ?2";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_statement_reads_a_whole_table() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.sqlite");
        let db = crate::schema::open(
            &path,
            std::time::Duration::ZERO,
            crate::schema::Absent::Made,
        );
        let db = db.unwrap();
        for (name, sql) in ALL {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan
                .raw_query()
                .mapped(|row| row.get::<_, String>(3))
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            for step in steps {
                // SQLite keeps one row for each of our tables there, and no index; a tenant has a few
                // accounts, and wants them all.
                let harmless = ["LAST_ENTRY", "ACCOUNTS"].contains(name);
                assert!(!step.contains("SCAN") || harmless, "{name}: {step}");
            }
        }
    }
}
