//! Asks question after question with samples, names and facts of any length; or removes all it can
//! see in portions so small that nobody is asked.

use tenon_hostile_guests::{Attack, guest, info, said};
use tenon_sdk::model::{Fault, Question};
use tenon_sdk::runtime::run;

guest!(Guest);

fn question(affected: u64, total: u64, facts: &[u8]) -> Question {
    Question {
        reason: said("they are gone"),
        record_kind: "product".to_owned(),
        affected,
        total,
        samples: Vec::new(),
        facts: facts.to_vec(),
    }
}

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        match argument {
            // All of 200, ten by ten.
            "portions" => {
                let portions = (0..20_u8).filter(|portion| {
                    let facts = [*portion];
                    run::confirmed(&question(10, 200, &facts))
                });
                info!("{} portions may go", portions.count());
            }
            // Kinds that nobody has heard of, one record each.
            "kinds" => {
                let kinds = (0..5_000).filter(|number| {
                    run::confirmed(&Question {
                        record_kind: format!("kind {number}"),
                        ..question(1, 1, &[])
                    })
                });
                info!("{} records may go", kinds.count());
            }
            "once" => {
                let may = run::confirmed(&question(180, 200, b"once"));
                info!("it may: {may}");
            }
            _ => {
                let long = "ї\n".repeat(32 << 10);
                let mut agreed = 0;
                for number in 0..20_000_u32 {
                    let facts = number.to_le_bytes();
                    let asked = if number < 50 {
                        Question {
                            reason: said(long.as_str()),
                            samples: vec![long.clone(); 30],
                            ..question(u64::MAX, u64::MAX, &facts)
                        }
                    } else {
                        question(180, 200, &facts)
                    };
                    agreed += u32::from(run::confirmed(&asked));
                }
                info!("{agreed} agreed");
            }
        }
        Ok(())
    }
}
