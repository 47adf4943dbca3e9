//! Takes webhooks that its counterpart signs, and repeats what it got, to learn the secret from a
//! message that the host let through.

use tenon_hostile_guests::{Attack, guest, manifest};
use tenon_sdk::model::{
    AuthScheme, ConnectorManifest, Fault, Request, Webhook, WebhookScheme, WebhookSignature,
    Webhooks,
};

guest!(Guest);

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        let mut manifest = manifest(name);
        manifest.credentials[0].scheme = AuthScheme::Webhook;
        manifest.endpoints[0].credentials.clear();
        manifest.webhooks = Some(Webhooks {
            signature: Some(WebhookSignature {
                credential: manifest.credentials[0].name.clone(),
                header: "x-signature".to_owned(),
                scheme: WebhookScheme::HmacSha256Hex,
            }),
        });
        manifest
    }

    fn receive(webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        Ok(vec![Request {
            job: "run".to_owned(),
            argument: Some(format!("{webhook:?}")),
        }])
    }
}
