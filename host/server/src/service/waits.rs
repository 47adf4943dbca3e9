//! Why something is late: what each request of a connection, and each of its schedules, waits for.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use tenon_host::ids::{ConnectionId, TenantId};
use tenon_host::reason::Reason;
use utoipa::ToSchema;

use super::{Completeness, Error, Service};
use crate::control::connections::State;
use crate::control::maintenance::{self, Maintenance};
use crate::control::{schedules, tenants};
use crate::queue::{RequestId, State as Stands, Waiting};
use crate::scheduler;
use crate::told::Told;

/// Requests that are looked at.
const MOST: u32 = 100;

/// What something waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WaitsFor)]
pub enum For {
    /// Nothing: it is running.
    Nothing,
    /// A place among the runs of the server.
    Place,
    /// Room in the request budget.
    Budget,
    /// The connection's hours of exchange.
    Window,
    /// The counterpart: its answer, or the time before which it takes no requests.
    Counterpart,
    /// Another run of the connection, or something that people do with it.
    Lease,
    /// Somebody who switches the connection on: it is paused.
    Paused,
    /// Somebody who switches the connection on: it is off.
    Off,
    /// The end of a maintenance.
    Maintenance,
    /// The next attempt after one that failed.
    Retry,
    /// The time for which it was requested.
    Time,
    /// Somebody who retries it: it was given up.
    Dead,
}

/// What a request or a schedule waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The job.
    pub job: String,
    /// The request; none for a schedule.
    pub request: Option<RequestId>,
    /// The run that is under way and has to do with it.
    pub run: Option<String>,
    /// What for.
    pub waits_for: For,
    /// Since when it could go on; none for a schedule, and for what is not due yet.
    pub since: Option<Timestamp>,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
    /// For people.
    pub text: Reason,
    /// Why the connection is paused, which the text leaves out.
    pub because: Option<Told>,
}

/// What decides it.
#[derive(Clone, Debug, Default)]
struct Facts {
    now: Timestamp,
    maintenance: Option<Maintenance>,
    off: bool,
    paused: Option<Told>,
    /// The run that is under way in this process.
    run: Option<Running>,
    /// Until when the counterpart wants to be left alone.
    silent: Option<(String, Timestamp)>,
    /// When a request may be sent, by the budget.
    free_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Running {
    id: String,
    /// Whether it waits for an answer.
    asks: bool,
}

impl Facts {
    fn of(&self, request: &Waiting) -> Wait {
        let (waits_for, until, text) = match request.state {
            Stands::Dead => (For::Dead, None, Reason::new("server.waits.dead")),
            Stands::Running => self.of_running(),
            Stands::Ready | Stands::Later => self.of_waiting(request),
        };
        let run = self.run.as_ref().map(|run| run.id.clone());
        Wait {
            job: request.job.clone(),
            request: Some(request.id),
            run: run.filter(|_| request.state == Stands::Running || waits_for == For::Lease),
            waits_for,
            since: Some(request.due_at).filter(|due| *due <= self.now),
            until,
            text,
            because: (self.paused.clone()).filter(|_| waits_for == For::Paused),
        }
    }

    /// One that a worker has.
    fn of_running(&self) -> (For, Option<Timestamp>, Reason) {
        let Some(run) = &self.run else {
            return (For::Lease, None, Reason::new("server.waits.lease"));
        };
        if run.asks {
            return (For::Counterpart, None, Reason::new("server.waits.answer"));
        }
        let silent = self.silent.as_ref().filter(|(_, at)| *at > self.now);
        if let Some((origin, at)) = silent {
            let (waits_for, until, reason) =
                self.until(For::Counterpart, "server.waits.counterpart", *at);
            return (waits_for, until, reason.arg("origin", origin));
        }
        match self.free_at.filter(|at| *at > self.now) {
            Some(until) => self.until(For::Budget, "server.waits.budget", until),
            None => (For::Nothing, None, Reason::new("server.waits.nothing")),
        }
    }

    /// One that no worker has.
    fn of_waiting(&self, request: &Waiting) -> (For, Option<Timestamp>, Reason) {
        if let Some(maintenance) = &self.maintenance {
            let reason = Reason::new("server.waits.maintenance");
            return (
                For::Maintenance,
                None,
                reason.arg("note", &maintenance.note),
            );
        }
        if self.paused.is_some() {
            return (For::Paused, None, Reason::new("server.waits.paused"));
        }
        if self.off {
            return (For::Off, None, Reason::new("server.waits.off"));
        }
        if request.due_at > self.now {
            let until = request.due_at;
            let silent = self.silent.as_ref().filter(|(_, at)| *at > self.now);
            let why = request.error.as_ref().and_then(|error| error.why.as_ref());
            if let Some((origin, at)) = silent {
                let (waits_for, until, reason) =
                    self.until(For::Counterpart, "server.waits.counterpart", until.max(*at));
                return (waits_for, until, reason.arg("origin", origin));
            }
            if why.is_some_and(|why| why.code == "host.budget-used-up") {
                return self.until(For::Budget, "server.waits.budget", until);
            }
            if request.error.is_some() {
                return self.until(For::Retry, "server.waits.retry", until);
            }
            return self.until(For::Time, "server.waits.time", until);
        }
        match &self.run {
            Some(_) => (For::Lease, None, Reason::new("server.waits.lease")),
            None => (For::Place, None, Reason::new("server.waits.place")),
        }
    }

    fn until(
        &self,
        waits_for: For,
        code: &'static str,
        until: Timestamp,
    ) -> (For, Option<Timestamp>, Reason) {
        let shown = until.strftime("%Y-%m-%d %H:%M:%S UTC");
        (
            waits_for,
            Some(until),
            Reason::new(code).arg("until", shown),
        )
    }
}

impl Service {
    /// What the requests of a connection wait for, oldest first, and those of its schedules that wait for
    /// the hours of exchange. At most a hundred requests are looked at.
    pub async fn waits(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<Vec<Wait>, Error> {
        let run = self.watched(tenant, connection).map(|watched| Running {
            id: watched.run.clone(),
            asks: watched.asking.load(Ordering::Relaxed) > 0,
        });
        let stored = self.stored(tenant, connection).await?;
        let (owner, id, connector) = (tenant.clone(), connection.clone(), stored.connector.clone());
        let (held, planned, zone) = self
            .control()
            .read(move |db| {
                let zone = tenants::get(db, &owner)?
                    .and_then(|tenant| TimeZone::get(&tenant.time_zone).ok());
                Ok::<_, Error>((
                    maintenance::of(db, &owner, &connector)?,
                    schedules::of(db, &owner, &id)?,
                    zone,
                ))
            })
            .await?;
        let now = self.now();
        let (silent, free_at) = match self.open_stored(&stored, Completeness::Begun).await {
            Ok(opened) => {
                let budgets = self.host().budgets(&opened).into_iter();
                let free_at = budgets.filter_map(|one| one.free_at).max();
                (self.host().silent_until(&opened), free_at)
            }
            // What is not set up yet sends nothing.
            Err(_) => (None, None),
        };
        let facts = Facts {
            now,
            maintenance: held,
            off: stored.state == State::Off,
            paused: stored.state.reason().cloned(),
            run,
            silent,
            free_at,
        };
        let requests = (self.queue())
            .list(tenant, connection, None, None, MOST)
            .await?;
        let mut waits: Vec<Wait> = requests.iter().map(|request| facts.of(request)).collect();
        let opens_at = (stored.window.zip(zone))
            .and_then(|(window, zone)| scheduler::opens_at(window, &zone, now));
        if opens_at.is_some() && stored.state == State::On {
            for (job, (_, next_at)) in planned {
                let (waits_for, until, text) =
                    facts.until(For::Window, "server.waits.window", next_at);
                waits.push(Wait {
                    job,
                    request: None,
                    run: None,
                    waits_for,
                    since: None,
                    until,
                    text,
                    because: None,
                });
            }
        }
        Ok(waits)
    }
}

#[cfg(test)]
mod tests {
    use tenon_host::{Cause, Mode};

    use super::*;
    use crate::queue::Priority;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn request(state: Stands, due_at: i64, error: Option<&str>) -> Waiting {
        Waiting {
            id: RequestId(1),
            job: "orders".to_owned(),
            argument: None,
            mode: Mode::Live,
            cause: Cause::Scheduled,
            state,
            priority: Priority::Schedule,
            due_at: at(due_at),
            attempts: 0,
            error: error.map(|code| Told::new(Reason::new(code))),
            created_at: at(0),
        }
    }

    fn facts() -> Facts {
        Facts {
            now: at(100),
            ..Facts::default()
        }
    }

    fn running(asks: bool) -> Option<Running> {
        Some(Running {
            id: "7".to_owned(),
            asks,
        })
    }

    #[test]
    fn a_ready_request_waits_for_a_place_or_for_the_run_before_it() {
        let ready = request(Stands::Ready, 50, None);
        assert_eq!(For::Place, facts().of(&ready).waits_for);
        let busy = Facts {
            run: running(false),
            ..facts()
        };
        let wait = busy.of(&ready);
        assert_eq!(
            (For::Lease, Some("7")),
            (wait.waits_for, wait.run.as_deref())
        );
        assert_eq!(Some(at(50)), wait.since);
    }

    #[test]
    fn what_people_stopped_waits_for_them_whatever_else_there_is() {
        let maintenance = Maintenance {
            held: maintenance::Held::All,
            note: "a new disk".to_owned(),
            actor: "ops".to_owned(),
            since: at(0),
        };
        let told = Told::by_connector("the key is wrong");
        let silent = Some(("https://crm.example".to_owned(), at(900)));
        let all = Facts {
            maintenance: Some(maintenance),
            paused: Some(told),
            silent,
            ..facts()
        };
        for request in [
            request(Stands::Ready, 50, None),
            request(Stands::Later, 500, Some("host.budget-used-up")),
        ] {
            assert_eq!(For::Maintenance, all.of(&request).waits_for);
            let paused = Facts {
                maintenance: None,
                ..all.clone()
            };
            assert_eq!(For::Paused, paused.of(&request).waits_for);
            let off = Facts {
                off: true,
                ..facts()
            };
            assert_eq!(For::Off, off.of(&request).waits_for);
        }
        assert_eq!(
            For::Dead,
            all.of(&request(Stands::Dead, 50, None)).waits_for
        );
    }

    #[test]
    fn what_is_due_later_waits_for_counterpart_budget_another_attempt_or_its_time() {
        let later = |error| request(Stands::Later, 500, error);
        let silent = Facts {
            silent: Some(("https://crm.example".to_owned(), at(900))),
            ..facts()
        };
        let of = |facts: &Facts, error| {
            let wait = facts.of(&later(error));
            (wait.waits_for, wait.until)
        };
        let used_up = Some("host.budget-used-up");
        assert_eq!((For::Counterpart, Some(at(900))), of(&silent, used_up));
        assert_eq!((For::Budget, Some(at(500))), of(&facts(), used_up));
        let failed = Some("server.left-behind");
        assert_eq!((For::Retry, Some(at(500))), of(&facts(), failed));
        assert_eq!((For::Time, Some(at(500))), of(&facts(), None));
    }

    #[test]
    fn a_run_waits_for_an_answer_for_its_budget_or_for_its_connection() {
        let of = |facts: Facts| {
            let wait = facts.of(&request(Stands::Running, 50, None));
            (wait.waits_for, wait.until)
        };
        assert_eq!((For::Lease, None), of(facts()));
        let run = |asks, free_at: Option<i64>| {
            of(Facts {
                run: running(asks),
                free_at: free_at.map(at),
                ..facts()
            })
        };
        assert_eq!((For::Counterpart, None), run(true, Some(130)));
        assert_eq!((For::Budget, Some(at(130))), run(false, Some(130)));
        assert_eq!((For::Nothing, None), run(false, Some(90)));
        assert_eq!((For::Nothing, None), run(false, None));
    }
}
