//! The tree of categories: folders of MoySklad under the chosen category of the site, parents
//! before children. Names and places follow MoySklad; a folder that is gone is archived.

use std::collections::{HashMap, HashSet};

use tenon_sdk::erp::catalog;
use tenon_sdk::import::{Tally, Verdict, bound, pair, verdict};
use tenon_sdk::model::{Category, Effect, Fault, Key, Outcome};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{info, state};
use uuid::Uuid;

use super::{CATEGORY, Context};
use crate::api::meta::{Kind, origin};
use crate::api::records::Folder;
use crate::map::tree::{Branch, branches};

/// Categories that were written last, each as a binding's origin.
const MADE: &str = "categories";

/// Runs the job.
///
/// # Errors
/// The fault that keeps it from going on.
pub fn run(context: &Context) -> Result<Outcome, Fault> {
    if !context.settings.categories {
        info!("categories are not synchronised; settings.categories is off");
        return Ok(Outcome::Done);
    }
    let filter = "archived=true;archived=false";
    let folders: Vec<Folder> = context.api.all(Kind::ProductFolder.path(), filter)?;
    if let Some(root) = context.settings.root_category
        && !folders.iter().any(|folder| folder.id == root)
    {
        return Err(Fault::Configuration(
            "settings.root_category: MoySklad shows no such category; choose another. Nothing was \
             archived"
                .to_owned()
                .into(),
        ));
    }
    let before: Vec<String> = state::load(MADE).unwrap_or_default();
    if folders.is_empty() && !before.is_empty() {
        // Who may see no folders gets an empty list and no error.
        return Err(Fault::Configuration(
            "MoySklad shows no category at all; check the rights of the credential. Nothing was \
             archived"
                .to_owned()
                .into(),
        ));
    }
    let branches = branches(&folders, context.settings.root_category);
    let present = catalog::categories()?;
    let site = &context.settings.site_category;
    if let Some(site) = site
        && !present.iter().any(|one| one.key.as_ref() == Some(site))
    {
        return Err(Fault::Configuration(
            format!("settings.site_category: the shop has no category `{site}`").into(),
        ));
    }
    let mut tree = Tree::new(&branches, present);
    let mut tally = Tally::default();
    tally.expect(branches.len() as u64);
    for level in levels(&branches) {
        tree.save(&level, site.as_ref(), &mut tally)?;
    }
    let made: Vec<String> = branches.iter().map(|branch| named(branch)).collect();
    tree.archive(before, &made, &mut tally)?;
    state::save(MADE, &made)?;
    tally.checkpoint();
    Ok(Outcome::Done)
}

fn named(branch: &Branch<'_>) -> String {
    origin(Kind::ProductFolder.word(), branch.folder.id)
}

/// Folders of equal depth: their parents are saved before them.
fn levels<'b, 'f>(branches: &'b [Branch<'f>]) -> Vec<Vec<&'b Branch<'f>>> {
    let mut depths: HashMap<Uuid, usize> = HashMap::new();
    let mut levels: Vec<Vec<&Branch<'_>>> = Vec::new();
    for branch in branches {
        let above = branch.parent.and_then(|parent| depths.get(&parent));
        let depth = above.map_or(0, |depth| depth + 1);
        depths.insert(branch.folder.id, depth);
        if levels.len() == depth {
            levels.push(Vec::new());
        }
        levels[depth].push(branch);
    }
    levels
}

/// The categories of the shop while they are brought in line.
struct Tree {
    present: HashMap<Key, Category>,
    /// Keys of the folders that are known.
    keys: HashMap<String, Key>,
    /// Categories that are a folder already.
    taken: HashSet<Key>,
}

impl Tree {
    fn new(branches: &[Branch<'_>], present: Vec<Category>) -> Tree {
        let origins: Vec<String> = branches.iter().map(named).collect();
        let present: HashMap<Key, Category> = present
            .into_iter()
            .filter_map(|category| Some((category.key.clone()?, category)))
            .collect();
        // A category that somebody deleted is made anew.
        let keys: HashMap<String, Key> = bound(CATEGORY, &origins)
            .into_values()
            .filter(|binding| present.contains_key(&binding.key))
            .map(|binding| (binding.origin, binding.key))
            .collect();
        Tree {
            taken: keys.values().cloned().collect(),
            present,
            keys,
        }
    }

    /// A category of people's own with this name at this place.
    fn twin(&self, name: &str, parent: Option<&Key>) -> Option<Key> {
        let name = name.trim().to_lowercase();
        let mut twins: Vec<&Key> = self
            .present
            .iter()
            .filter(|(key, category)| {
                category.parent.as_ref() == parent
                    && category.name.trim().to_lowercase() == name
                    && !self.taken.contains(*key)
            })
            .map(|(key, _)| key)
            .collect();
        twins.sort();
        twins.first().map(|key| (*key).clone())
    }

    fn save(
        &mut self,
        level: &[&Branch<'_>],
        site: Option<&Key>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let mut changed = Vec::new();
        for branch in level {
            let origin = named(branch);
            let above = branch
                .parent
                .and_then(|parent| self.keys.get(&format!("moysklad:productfolder:{parent}")));
            let parent = above.or(site).cloned();
            let mut key = self.keys.get(&origin).cloned();
            if key.is_none()
                && let Some(twin) = self.twin(&branch.folder.name, parent.as_ref())
            {
                info!(
                    record = twin,
                    "`{}` matched by name and place", branch.folder.name
                );
                self.taken.insert(twin.clone());
                key = Some(twin);
            }
            let category = Category {
                origin: Some(origin.clone()),
                name: branch.folder.name.clone(),
                parent,
                archived: branch.folder.archived,
                key,
            };
            let before = category.key.as_ref().and_then(|key| self.present.get(key));
            let same = before.is_some_and(|before| {
                (&before.name, &before.parent, before.archived)
                    == (&category.name, &category.parent, category.archived)
            });
            if let (true, Some(_)) = (same, self.keys.get(&origin)) {
                tally.count(Effect::Unchanged);
            } else {
                changed.push((origin, category));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let categories: Vec<Category> = changed.iter().map(|(_, one)| one.clone()).collect();
        let mut pairs = Vec::new();
        for ((origin, category), outcome) in changed
            .into_iter()
            .zip(catalog::save_categories(&categories)?)
        {
            match verdict(outcome)? {
                Verdict::Saved(saved) => {
                    tally.count(saved.effect);
                    pairs.push(pair(CATEGORY, &saved.key, &origin));
                    self.taken.insert(saved.key.clone());
                    self.keys.insert(origin, saved.key);
                }
                Verdict::Refused(reason) => tally.reject(CATEGORY, &category.name, &reason),
                Verdict::Changed => tally.passed(),
            }
        }
        bindings::bind(&pairs);
        Ok(())
    }

    /// Archives the categories of folders that were there last time and are not any more.
    fn archive(
        &self,
        before: Vec<String>,
        made: &[String],
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let gone: Vec<String> = before
            .into_iter()
            .filter(|one| !made.contains(one))
            .collect();
        let archived: Vec<Category> = bound(CATEGORY, &gone)
            .into_values()
            .filter_map(|binding| self.present.get(&binding.key))
            .filter(|category| !category.archived)
            .map(|category| Category {
                archived: true,
                ..category.clone()
            })
            .collect();
        if archived.is_empty() {
            return Ok(());
        }
        let saved = catalog::save_categories(&archived)?;
        for (category, outcome) in archived.iter().zip(saved) {
            match verdict(outcome)? {
                Verdict::Saved(saved) => {
                    let key = &saved.key;
                    info!(
                        record = key,
                        "archived: `{}` is gone in MoySklad", category.name
                    );
                    tally.count(saved.effect);
                }
                Verdict::Refused(reason) => tally.reject(CATEGORY, &category.name, &reason),
                Verdict::Changed => tally.passed(),
            }
        }
        Ok(())
    }
}
