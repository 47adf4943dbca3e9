//! What happens on the platform's side and concerns connectors.

use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::manifest::Subscription;
use tenon_host::{Cause, Mode, RecordRef};

use super::{Error, Service, What};
use crate::control::connections::State;
use crate::control::tenants;
use crate::queue::{NewRequest, Priority};

/// Something that happened on the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Records changed.
    Changed {
        /// Which.
        records: Vec<RecordRef>,
    },
    /// A button of a connector was pressed.
    Pressed {
        /// The connection.
        connection: ConnectionId,
        /// Its action.
        action: String,
        /// The record.
        target: RecordRef,
    },
    /// Somebody looks at a record, such as a customer at their account.
    Visited {
        /// The record.
        record: RecordRef,
    },
}

impl Service {
    /// Asks the connections of a tenant for what an event makes necessary; answers how many runs that
    /// is. Connections that are off hear nothing; what one hears that is paused waits until it is on.
    pub async fn event(&self, actor: &str, tenant: &TenantId, event: Event) -> Result<u64, Error> {
        if let Event::Pressed {
            connection,
            action,
            target,
        } = event
        {
            self.press(actor, tenant, &connection, &action, target)
                .await?;
            return Ok(1);
        }
        self.tenant(tenant).await?;
        let mut requests = Vec::new();
        for stored in self.connections_of(tenant).await? {
            if stored.state == State::Off {
                continue;
            }
            let connector = self.connector(&stored.digest).await?;
            for job in &connector.manifest.jobs {
                if let Some(cause) = cause(&event, &job.listens_to) {
                    requests.push(NewRequest {
                        tenant: tenant.clone(),
                        connection: stored.id.clone(),
                        job: job.id.clone(),
                        argument: None,
                        mode: Mode::Live,
                        cause,
                        priority: Priority::Webhook,
                        due: None,
                    });
                }
            }
        }
        let asked = self.queue().ask(requests, self.now()).await?;
        Ok(asked.len() as u64)
    }

    /// A tenant.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<tenants::Tenant, Error> {
        let id = tenant.clone();
        self.control()
            .read(move |db| {
                tenants::get(db, &id)?.ok_or_else(|| Error::not_found(What::Tenant, &id))
            })
            .await
    }
}

/// Why a job runs that listens to these kinds; none when the event is nothing to it.
fn cause(event: &Event, listens_to: &[Subscription]) -> Option<Cause> {
    match event {
        Event::Changed { records } => {
            let concerns =
                |record: &&RecordRef| listens_to.contains(&Subscription::Changed(record.kind));
            let records: Vec<RecordRef> = records.iter().filter(concerns).cloned().collect();
            (!records.is_empty()).then_some(Cause::Changed(records))
        }
        Event::Visited { record } => {
            let listens = listens_to.contains(&Subscription::Visited(record.kind));
            listens.then(|| Cause::Visited(record.clone()))
        }
        Event::Pressed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use tenon_host::model::RecordKind;

    use super::*;

    fn record(kind: RecordKind, key: &str) -> RecordRef {
        RecordRef {
            kind,
            key: key.to_owned(),
        }
    }

    #[test]
    fn a_job_hears_of_the_kinds_that_it_listens_to() {
        let event = Event::Changed {
            records: vec![
                record(RecordKind::Order, "1"),
                record(RecordKind::Partner, "2"),
                record(RecordKind::Order, "3"),
            ],
        };
        let listens = [Subscription::Changed(RecordKind::Order)];
        let heard = Cause::Changed(vec![
            record(RecordKind::Order, "1"),
            record(RecordKind::Order, "3"),
        ]);
        assert_eq!(Some(heard), cause(&event, &listens));
        assert_eq!(
            None,
            cause(&event, &[Subscription::Changed(RecordKind::Product)])
        );
    }

    #[test]
    fn a_visit_is_no_change() {
        let event = Event::Visited {
            record: record(RecordKind::Partner, "2"),
        };
        assert_eq!(
            None,
            cause(&event, &[Subscription::Changed(RecordKind::Partner)])
        );
        let visited = Some(Cause::Visited(record(RecordKind::Partner, "2")));
        assert_eq!(
            visited,
            cause(&event, &[Subscription::Visited(RecordKind::Partner)])
        );
    }
}
