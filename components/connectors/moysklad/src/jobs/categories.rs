//! The tree of categories: folders of MoySklad under the chosen category of the site, parents
//! before children. Names and places follow MoySklad; a folder that is gone is archived.

use std::collections::{HashMap, HashSet};

use tenon_sdk::erp::catalog;
use tenon_sdk::import::{Tally, Verdict, bound, pair, verdict};
use tenon_sdk::model::{Category, Effect, Fault, Key, Origin, Outcome, Subject};
use tenon_sdk::runtime::bindings;
use tenon_sdk::{brake, info, reason, state};
use uuid::Uuid;

use super::{CATEGORY, Context};
use crate::api::TOKEN;
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
        info!(reason!("categories.off").setting("categories"));
        return Ok(Outcome::Done);
    }
    let filter = "archived=true;archived=false";
    let folders: Vec<Folder> = context.api.all(Kind::ProductFolder.path(), filter)?;
    if let Some(root) = context.settings.root_category
        && !folders.iter().any(|folder| folder.id == root)
    {
        let reason = reason!("categories.no-root").setting("root_category");
        return Err(Fault::Configuration(reason));
    }
    let before: Vec<String> = state::load(MADE).unwrap_or_default();
    let branches = branches(&folders, context.settings.root_category);
    let present = catalog::categories()?;
    let site = &context.settings.site_category;
    if let Some(site) = site
        && !present.iter().any(|one| one.key.as_ref() == Some(site))
    {
        let reason = reason!("categories.no-site", key = site).setting("site_category");
        return Err(Fault::Configuration(reason));
    }
    let mut tree = Tree::new(&branches, present);
    let mut tally = Tally::default();
    tally.expect(branches.len() as u64);
    for level in levels(&branches) {
        tree.save(&level, site.as_ref(), &mut tally)?;
    }
    let mut made: Vec<String> = branches.iter().map(|branch| named(branch)).collect();
    // What people have not agreed to is still there, so that the next run asks again.
    made.extend(tree.archive(before, &made, &mut tally)?);
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
            let above = branch
                .parent
                .and_then(|parent| self.keys.get(&origin(Kind::ProductFolder.word(), parent)));
            let origin = named(branch);
            let parent = above.or(site).cloned();
            let mut key = self.keys.get(&origin).cloned();
            if key.is_none()
                && let Some(twin) = self.twin(&branch.folder.name, parent.as_ref())
            {
                info!(record = twin, "category.matched", name = branch.folder.name);
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
                Verdict::Refused(reason) => {
                    tally.reject(CATEGORY, Subject::Origin(origin), &category.name, reason);
                }
                Verdict::Changed => tally.passed(),
            }
        }
        bindings::bind(&pairs);
        Ok(())
    }

    /// Archives the categories of folders that were there last time and are not any more. Beyond a few,
    /// people are asked first: answers with those that stay until then.
    fn archive(
        &self,
        before: Vec<String>,
        made: &[String],
        tally: &mut Tally,
    ) -> Result<Vec<String>, Fault> {
        let of = before.len();
        let gone: Vec<String> = before
            .into_iter()
            .filter(|one| !made.contains(one))
            .collect();
        let (origins, archived): (Vec<Origin>, Vec<Category>) = bound(CATEGORY, &gone)
            .into_values()
            .filter_map(|binding| Some((binding.origin, self.present.get(&binding.key)?.clone())))
            .filter(|(_, category)| !category.archived)
            .map(|(origin, category)| {
                let category = Category {
                    origin: Some(origin.clone()),
                    archived: true,
                    ..category
                };
                (origin, category)
            })
            .unzip();
        if archived.is_empty() {
            return Ok(Vec::new());
        }
        let reason =
            reason!("categories.gone", number = archived.len(), total = of).credential(TOKEN);
        let mut names: Vec<(String, String)> = (archived.iter())
            .filter_map(|category| Some((category.key.clone()?, category.name.clone())))
            .collect();
        if !brake::confirmed(CATEGORY, reason, &mut names, of as u64) {
            return Ok(gone);
        }
        let saved = catalog::save_categories(&archived)?;
        for ((category, origin), outcome) in archived.iter().zip(origins).zip(saved) {
            match verdict(outcome)? {
                Verdict::Saved(saved) => {
                    let key = &saved.key;
                    info!(record = key, "category.archived", name = category.name);
                    tally.count(saved.effect);
                }
                Verdict::Refused(reason) => {
                    tally.reject(CATEGORY, Subject::Origin(origin), &category.name, reason);
                }
                Verdict::Changed => tally.passed(),
            }
        }
        Ok(Vec::new())
    }
}
