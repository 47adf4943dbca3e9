//! What the WIT contract generates: types and raw imports. Connectors use the clean modules of
//! this crate instead; only [`export!`](crate::export) reaches in here from outside.

wit_bindgen::generate!({
    path: "wit",
    world: "tenon:connector/connector",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_world",
    default_bindings_module: "tenon_sdk::contract",
    additional_derives: [PartialEq],
    // Holds a resource, which cannot be compared.
    additional_derives_ignore: ["stream-error"],
    // An absent field is none or empty; an enum's first case is the ordinary one.
    additional_type_attributes: {
        "tenon:erp/model@0.2.0/decimal": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/product-kind": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/partner-role": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/order-direction": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/product-variant": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/product": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/partner": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/order-line": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/delivery": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/payment": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/order": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/saved": [#[derive(Default)]],
        "tenon:erp/model@0.2.0/effect": [#[derive(Default)]],
        "tenon:runtime/run@0.2.0/progress": [#[derive(Default)]],
    },
    additional_member_attributes: {
        "tenon:erp/model@0.2.0/effect.unchanged": [#[default]],
        "tenon:erp/model@0.2.0/product-kind.good": [#[default]],
        "tenon:erp/model@0.2.0/partner-role.customer": [#[default]],
        "tenon:erp/model@0.2.0/order-direction.sale": [#[default]],
    },
});
