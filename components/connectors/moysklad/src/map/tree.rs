//! The tree of folders: which of them become categories, parents before children.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::api::records::Folder;

/// A folder that becomes a category.
#[derive(Debug)]
pub struct Branch<'f> {
    /// The folder.
    pub folder: &'f Folder,
    /// The folder above it, where that becomes a category, too.
    pub parent: Option<Uuid>,
}

/// All folders, or those below `root`, each after the one above it. Siblings stand in the order of
/// their names; folders in a loop are left out.
pub fn branches(folders: &[Folder], root: Option<Uuid>) -> Vec<Branch<'_>> {
    let ids: HashSet<Uuid> = folders.iter().map(|folder| folder.id).collect();
    let mut below: HashMap<Option<Uuid>, Vec<&Folder>> = HashMap::new();
    for folder in folders {
        // One whose parent cannot be seen stands at the top.
        let parent = folder.parent().filter(|parent| ids.contains(parent));
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
pub fn branch(folders: &[Folder], root: Uuid) -> HashSet<Uuid> {
    let below = branches(folders, Some(root));
    below
        .iter()
        .map(|one| one.folder.id)
        .chain([root])
        .collect()
}

/// Folders by their whole path: `Engine / Filters`.
pub fn paths(folders: &[Folder]) -> Vec<(Uuid, String)> {
    let mut paths: HashMap<Uuid, String> = HashMap::new();
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

#[cfg(test)]
mod tests {
    use super::{branches, paths};
    use crate::api::records::Folder;
    use uuid::Uuid;

    fn folder(id: u128, name: &str, parent: Option<u128>) -> Folder {
        let above = parent.map_or(String::new(), |parent| {
            let parent = Uuid::from_u128(parent);
            format!(r#","productFolder":{{"meta":{{"href":"https://x/entity/productfolder/{parent}"}}}}"#)
        });
        let id = Uuid::from_u128(id);
        serde_json::from_str(&format!(r#"{{"id":"{id}","name":"{name}"{above}}}"#))
            .expect("a folder")
    }

    fn names(folders: &[Folder], root: Option<u128>) -> Vec<String> {
        let branches = branches(folders, root.map(Uuid::from_u128));
        branches
            .iter()
            .map(|branch| branch.folder.name.clone())
            .collect()
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
        let below = branches(&folders, Some(Uuid::from_u128(1)));
        assert_eq!(below[0].parent, None, "the root itself is no category");
        assert_eq!(below[1].parent, Some(Uuid::from_u128(2)));
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
