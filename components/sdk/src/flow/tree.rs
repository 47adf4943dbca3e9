//! The tree of categories: what a counterpart groups goods by, under a category of the platform, parents
//! before children. Names and places follow the counterpart; what is gone there is archived. A category
//! that people made, with the same name at the same place, is taken for it.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::erp::catalog;
use crate::import::{Tally, Verdict, bound, pair, verdict};
use crate::model::{Category, Effect, Fault, Key, Origin, Reason, Subject};
use crate::runtime::bindings;
use crate::{brake, info, state};

/// Kind of the pairs.
pub const CATEGORY: &str = "category";

/// Categories that were written last, each as a binding's origin.
const MADE: &str = "categories";

/// What identifies a folder.
pub trait Id: Copy + Ord + Hash {}

impl<I: Copy + Ord + Hash> Id for I {}

/// What a counterpart groups goods by.
#[derive(Clone, Debug)]
pub struct Folder<I> {
    /// Its id.
    pub id: I,
    /// Its name.
    pub name: String,
    /// The one above it.
    pub parent: Option<I>,
    /// Whether it is out of use.
    pub archived: bool,
}

/// Makes folders categories of the platform: all, or those below `root`, under the category `site`. `why`
/// says what is about to happen to so many of so many that are gone.
///
/// # Errors
/// The fault of a call as a whole.
pub fn run<I: Id>(
    folders: &[Folder<I>],
    root: Option<I>,
    site: Option<&Key>,
    origin: impl Fn(I) -> Origin,
    why: impl FnOnce(usize, usize) -> Reason,
) -> Result<(), Fault> {
    let before: Vec<String> = state::load(MADE).unwrap_or_default();
    let branches = branches(folders, root);
    let mut made: Vec<Origin> = (branches.iter())
        .map(|branch| origin(branch.folder.id))
        .collect();
    let mut tree = Tree::new(&made, catalog::categories()?);
    let mut tally = Tally::default();
    tally.expect(branches.len() as u64);
    for level in levels(&branches) {
        tree.save(&level, &origin, site, &mut tally)?;
    }
    // What people have not agreed to is still there, so that the next run asks again.
    made.extend(tree.archive(before, &made, why, &mut tally)?);
    state::save(MADE, &made)?;
    tally.checkpoint();
    Ok(())
}

/// A folder that becomes a category.
#[derive(Debug)]
pub struct Branch<'f, I> {
    /// The folder.
    pub folder: &'f Folder<I>,
    /// The folder above it, where that becomes a category, too.
    pub parent: Option<I>,
}

/// All folders, or those below `root`, each after the one above it. Siblings stand in the order of
/// their names; folders in a loop are left out.
pub fn branches<I: Id>(folders: &[Folder<I>], root: Option<I>) -> Vec<Branch<'_, I>> {
    let ids: HashSet<I> = folders.iter().map(|folder| folder.id).collect();
    let mut below: HashMap<Option<I>, Vec<&Folder<I>>> = HashMap::new();
    for folder in folders {
        // One whose parent cannot be seen stands at the top.
        let parent = folder.parent.filter(|parent| ids.contains(parent));
        below.entry(parent).or_default().push(folder);
    }
    for siblings in below.values_mut() {
        siblings.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    }
    let mut branches = Vec::new();
    let mut level = vec![(root, None)];
    while !level.is_empty() {
        let mut next = Vec::new();
        for (folder, parent) in level {
            for child in below.remove(&folder).unwrap_or_default() {
                branches.push(Branch {
                    folder: child,
                    parent,
                });
                next.push((Some(child.id), Some(child.id)));
            }
        }
        level = next;
    }
    branches
}

/// A folder and all that lie below it.
pub fn branch<I: Id>(folders: &[Folder<I>], root: I) -> HashSet<I> {
    let below = branches(folders, Some(root));
    below
        .iter()
        .map(|one| one.folder.id)
        .chain([root])
        .collect()
}

/// Folders by their whole path: `Engine / Filters`.
pub fn paths<I: Id>(folders: &[Folder<I>]) -> Vec<(I, String)> {
    let mut paths: HashMap<I, String> = HashMap::new();
    let mut listed = Vec::new();
    for Branch { folder, parent } in branches(folders, None) {
        let path = match parent.and_then(|parent| paths.get(&parent)) {
            Some(above) => format!("{above} / {}", folder.name),
            None => folder.name.clone(),
        };
        paths.insert(folder.id, path.clone());
        listed.push((folder.id, path));
    }
    listed.sort_by(|(_, a), (_, b)| a.cmp(b));
    listed
}

/// Folders of equal depth: their parents are saved before them.
fn levels<'b, 'f, I: Id>(branches: &'b [Branch<'f, I>]) -> Vec<Vec<&'b Branch<'f, I>>> {
    let mut depths: HashMap<I, usize> = HashMap::new();
    let mut levels: Vec<Vec<&Branch<'_, I>>> = Vec::new();
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

/// The categories of the platform while they are brought in line.
struct Tree {
    present: HashMap<Key, Category>,
    /// Keys of the folders that are known.
    keys: HashMap<String, Key>,
    /// Categories that are a folder already.
    taken: HashSet<Key>,
}

impl Tree {
    fn new(origins: &[Origin], present: Vec<Category>) -> Tree {
        let present: HashMap<Key, Category> = present
            .into_iter()
            .filter_map(|category| Some((category.key.clone()?, category)))
            .collect();
        // A category that somebody deleted is made anew.
        let keys: HashMap<String, Key> = bound(CATEGORY, origins)
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

    fn save<I: Id>(
        &mut self,
        level: &[&Branch<'_, I>],
        origin: &impl Fn(I) -> Origin,
        site: Option<&Key>,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let mut changed = Vec::new();
        for branch in level {
            let above = branch
                .parent
                .and_then(|parent| self.keys.get(&origin(parent)));
            let origin = origin(branch.folder.id);
            let parent = above.or(site).cloned();
            let mut key = self.keys.get(&origin).cloned();
            if key.is_none()
                && let Some(twin) = self.twin(&branch.folder.name, parent.as_ref())
            {
                info!(record = twin, "sdk.tree.matched", name = branch.folder.name);
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
        why: impl FnOnce(usize, usize) -> Reason,
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
        let reason = why(archived.len(), of);
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
                    info!(record = key, "sdk.tree.archived", name = category.name);
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

#[cfg(test)]
mod tests {
    use super::Folder;
    use super::{branches, paths};

    fn folder(id: u32, name: &str, parent: Option<u32>) -> Folder<u32> {
        Folder {
            id,
            name: name.to_owned(),
            parent,
            archived: false,
        }
    }

    fn names(folders: &[Folder<u32>], root: Option<u32>) -> Vec<String> {
        let branches = branches(folders, root);
        let names = branches.iter().map(|branch| branch.folder.name.clone());
        names.collect()
    }

    #[test]
    fn parents_come_before_children_and_siblings_by_name() {
        let folders = [
            folder(3, "Масляные", Some(2)),
            folder(2, "Фильтры", Some(1)),
            folder(4, "Воздушные", Some(2)),
            folder(1, "Двигатель", None),
            folder(5, "Кузов", Some(99)),
        ];
        assert_eq!(
            names(&folders, None),
            ["Двигатель", "Кузов", "Фильтры", "Воздушные", "Масляные"]
        );
        assert_eq!(names(&folders, Some(2)), ["Воздушные", "Масляные"]);
        let below = branches(&folders, Some(1));
        assert_eq!(below[0].parent, None, "the root itself is no category");
        assert_eq!(below[1].parent, Some(2));
    }

    #[test]
    fn folders_in_a_loop_are_left_out() {
        let folders = [
            folder(1, "A", Some(2)),
            folder(2, "B", Some(1)),
            folder(3, "C", None),
        ];
        assert_eq!(names(&folders, None), ["C"]);
    }

    #[test]
    fn a_folder_is_shown_with_the_path_to_it() {
        let folders = [folder(2, "Фильтры", Some(1)), folder(1, "Двигатель", None)];
        let paths = paths(&folders);
        assert_eq!(paths[1].1, "Двигатель / Фильтры");
    }
}
