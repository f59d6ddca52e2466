//! The order of the rooms and the absence of circles, read from the imports themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, ItemMod, ItemUse, UseTree, Visibility};

/// A module's path below the crate: `["checks", "node_image", "stale"]`.
type Module = Vec<String>;

/// One source file: what it names, and what it passes on under a name of its own.
#[derive(Default)]
struct File {
    /// Every path that it names, from the crate's root.
    named: BTreeSet<Vec<String>>,
    /// Names that it re-exports, and where they come from.
    passed_on: BTreeMap<String, Vec<String>>,
}

struct Reader<'a> {
    module: &'a Module,
    file: File,
}

impl Reader<'_> {
    /// A path as written in this module, from the crate's root; `None` for another crate's.
    fn absolute(&self, written: &[String], children: bool) -> Option<Vec<String>> {
        let mut base = match written.first()?.as_str() {
            "crate" => return Some(written[1..].to_vec()),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().checked_sub(1)?].to_vec(),
            _ if children => return Some([self.module.as_slice(), written].concat()),
            _ => return None,
        };
        for (at, segment) in written.iter().enumerate().skip(1) {
            if segment != "super" {
                base.extend(written[at..].iter().cloned());
                break;
            }
            base.pop();
        }
        Some(base)
    }

    fn used(&mut self, tree: &UseTree, mut before: Vec<String>, passed_on: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.used(&path.tree, before, passed_on);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.used(item, before.clone(), passed_on));
            }
            UseTree::Glob(_) => self.name(&before, None),
            UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.name(&before, passed_on.then(|| name.ident.to_string()));
            }
            UseTree::Rename(name) => {
                before.push(name.ident.to_string());
                self.name(&before, passed_on.then(|| name.rename.to_string()));
            }
        }
    }

    fn name(&mut self, written: &[String], passed_on: Option<String>) {
        let Some(path) = self.absolute(written, true) else { return };
        match passed_on {
            Some(name) => drop(self.file.passed_on.insert(name, path)),
            None => drop(self.file.named.insert(path)),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !module.attrs.iter().any(is_test) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        self.used(&import.tree, Vec::new(), !matches!(import.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.file.named.extend(self.absolute(&written, false));
        syn::visit::visit_path(self, path);
    }
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && matches!(attribute.parse_args::<syn::Ident>(), Ok(flag) if flag == "test")
}

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every module below `src/`, with what it names.
fn house() -> BTreeMap<Module, File> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&src, &mut files);
    let mut house = BTreeMap::new();
    for path in files {
        let module: Module = path
            .strip_prefix(&src)
            .unwrap()
            .with_extension("")
            .iter()
            .map(|part| part.to_str().unwrap().into())
            .collect();
        if module == ["lib"] || module == ["main"] {
            continue;
        }
        let text = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut reader = Reader { module: &module, file: File::default() };
        reader.visit_file(&text);
        let file = reader.file;
        house.insert(module, file);
    }
    house
}

/// The file that defines what `path` names, through every name that is passed on; `None` for another crate's.
fn defined_in(house: &BTreeMap<Module, File>, path: &[String]) -> Option<Module> {
    let length = (1..=path.len()).rev().find(|length| house.contains_key(&path[..*length]))?;
    let (module, rest) = path.split_at(length);
    let passed_on = rest.first().and_then(|name| house[module].passed_on.get(name));
    passed_on.and_then(|onward| defined_in(house, onward)).or_else(|| Some(module.to_vec()))
}

/// From each file to the files whose items it names.
fn imports(house: &BTreeMap<Module, File>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let of = |module: &Module, file: &File| {
        let named = file.named.iter().filter_map(|path| defined_in(house, path));
        named.filter(|other| other != module).collect()
    };
    house.iter().map(|(module, file)| (module, of(module, file))).collect()
}

/// The rooms in the order in which `src/lib.rs` lists them.
fn rooms() -> Vec<String> {
    let lib = syn::parse_file(include_str!("../../src/lib.rs")).unwrap();
    let room = |item: &syn::Item| if let syn::Item::Mod(module) = item { Some(module.ident.to_string()) } else { None };
    lib.items.iter().filter_map(room).collect()
}

#[test]
fn each_room_uses_only_the_rooms_above_it() {
    let (house, rooms) = (house(), rooms());
    let rank = |module: &Module| rooms.iter().position(|room| *room == module[0]).unwrap();
    let mut wrong = Vec::new();
    for (module, used) in imports(&house) {
        for other in used {
            let upstairs = rank(&other) > rank(module);
            let live = other[0] == "sources" && !["sources", "app"].contains(&module[0].as_str());
            if upstairs || live {
                wrong.push(format!("{} uses {}", module.join("/"), other.join("/")));
            }
        }
    }
    assert!(wrong.is_empty(), "the order of the rooms is {rooms:?}, but:\n{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_but_a_parent_and_its_own_children() {
    let house = house();
    let mut left = imports(&house);
    for (module, used) in &mut left {
        used.retain(|other| !other.starts_with(module) && !module.starts_with(other));
    }
    // Take away what depends on nothing that is left, until only circles are.
    loop {
        let standing: BTreeSet<Module> = left.keys().map(|module| (*module).clone()).collect();
        let before = left.len();
        left.retain(|_, used| {
            used.retain(|other| standing.contains(other));
            !used.is_empty()
        });
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "files in a circle, or above one: {left:#?}");
}

#[test]
fn the_reader_of_imports_sees_what_is_there() {
    let house = house();
    let imports = imports(&house);
    let module = |path: &str| path.split('/').map(str::to_owned).collect::<Module>();
    let uses = |from: &str, to: &str| imports[&module(from)].contains(&module(to));
    assert!(uses("checks/node_image", "model/image_version"), "a plain import");
    assert!(uses("app/diagnose", "app/exit"), "`super::`");
    assert!(uses("checks/node_image/stale", "text"), "one name of a group at the root");
    assert!(uses("sources/collect", "evidence/fact"), "a name that is passed on by its parent");
}
