//! `tenon:erp`: the platform's records, passed through to the run's unit of work.

use wasmtime::Result;

use super::RunState;
use crate::contract::tenon::erp::{catalog, directories, orders, partners, stock};
use crate::model::{
    Category, Cursor, Directory, Entry, Fault, Image, Key, LinkedDocument, Money, Order,
    OrderDirection, OrderFields, OrderLookup, OrderPage, Origin, Partner, PartnerFields,
    PartnerLookup, PartnerPage, Product, ProductFields, ProductLookup, ProductPage, Saved,
    StockLevel, StockPage,
};

type Answer<T> = Result<std::result::Result<T, Fault>>;
type Each<T> = Answer<Vec<std::result::Result<T, Fault>>>;

impl directories::Host for RunState {
    async fn list(&mut self, directory: Directory) -> Answer<Vec<Entry>> {
        Ok(self.work()?.list(directory).await)
    }

    async fn ensure(&mut self, directory: Directory, name: String, origin: Origin) -> Answer<Key> {
        Ok(self.work()?.ensure(directory, name, origin).await)
    }
}

impl catalog::Host for RunState {
    async fn find(&mut self, lookups: Vec<ProductLookup>) -> Answer<Vec<Option<Product>>> {
        Ok(self.work()?.find_products(lookups).await)
    }

    async fn save(&mut self, products: Vec<Product>, owned: ProductFields) -> Each<Saved> {
        Ok(self.work()?.save_products(products, owned).await)
    }

    async fn changed(&mut self, after: Option<Cursor>, limit: u32) -> Answer<ProductPage> {
        Ok(self.work()?.changed_products(after, limit).await)
    }

    async fn categories(&mut self) -> Answer<Vec<Category>> {
        Ok(self.work()?.categories().await)
    }

    async fn save_categories(&mut self, categories: Vec<Category>) -> Each<Saved> {
        Ok(self.work()?.save_categories(categories).await)
    }

    async fn read_image(&mut self, product: Key, digest: String) -> Answer<Vec<u8>> {
        Ok(self.work()?.read_image(product, digest).await)
    }

    async fn save_image(&mut self, product: Key, image: Image, content: Vec<u8>) -> Answer<()> {
        Ok(self.work()?.save_image(product, image, content).await)
    }
}

impl stock::Host for RunState {
    async fn set(&mut self, levels: Vec<StockLevel>) -> Each<()> {
        Ok(self.work()?.set_stock(levels).await)
    }

    async fn changed(&mut self, after: Option<Cursor>, limit: u32) -> Answer<StockPage> {
        Ok(self.work()?.changed_stock(after, limit).await)
    }
}

impl partners::Host for RunState {
    async fn find(&mut self, lookups: Vec<PartnerLookup>) -> Answer<Vec<Option<Partner>>> {
        Ok(self.work()?.find_partners(lookups).await)
    }

    async fn save(&mut self, partners: Vec<Partner>, owned: PartnerFields) -> Each<Saved> {
        Ok(self.work()?.save_partners(partners, owned).await)
    }

    async fn changed(&mut self, after: Option<Cursor>, limit: u32) -> Answer<PartnerPage> {
        Ok(self.work()?.changed_partners(after, limit).await)
    }

    async fn set_balances(&mut self, balances: Vec<(Key, Money)>) -> Each<()> {
        Ok(self.work()?.set_balances(balances).await)
    }
}

impl orders::Host for RunState {
    async fn find(&mut self, lookups: Vec<OrderLookup>) -> Answer<Vec<Option<Order>>> {
        Ok(self.work()?.find_orders(lookups).await)
    }

    async fn save(&mut self, orders: Vec<Order>, owned: OrderFields) -> Each<Saved> {
        Ok(self.work()?.save_orders(orders, owned).await)
    }

    async fn changed(
        &mut self,
        direction: OrderDirection,
        after: Option<Cursor>,
        limit: u32,
    ) -> Answer<OrderPage> {
        Ok(self.work()?.changed_orders(direction, after, limit).await)
    }

    async fn annotate(
        &mut self,
        order: Key,
        documents: Vec<LinkedDocument>,
        error: Option<String>,
    ) -> Answer<()> {
        Ok(self.work()?.annotate_order(order, documents, error).await)
    }

    async fn attach(&mut self, order: Key, file_name: String, content: Vec<u8>) -> Answer<()> {
        let work = self.work()?;
        Ok(work.attach_to_order(order, file_name, content).await)
    }
}

impl crate::contract::tenon::connector::manifest::Host for RunState {}
