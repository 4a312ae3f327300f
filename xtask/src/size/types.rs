//! `size_of` of the types in an image, from its debug information: private members too, for the target it was made for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use addr2line::gimli;
use anyhow::{Context, Result};
use gimli::{AttributeValue, EndianSlice, LittleEndian};
use object::{Object, ObjectSection};

type Reader<'d> = EndianSlice<'d, LittleEndian>;

/// A struct or enum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Type {
    /// `size_of`, bytes.
    pub(crate) size: u64,
    /// Members of a struct with their sizes.
    pub(crate) members: Vec<(String, u64)>,
}

/// Types by full path.
pub(crate) type Types = BTreeMap<String, Type>;

/// Reads the types of an image that was built with full debug information.
pub(crate) fn read(path: &Path) -> Result<Types> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = object::File::parse(&*bytes)?;
    let sections = gimli::DwarfSections::load(|id| -> Result<Cow<'_, [u8]>> {
        let section = file.section_by_name(id.name());
        Ok(section.map_or(Ok(Cow::default()), |section| section.uncompressed_data())?)
    })?;
    let dwarf = sections.borrow(|section| EndianSlice::new(section, LittleEndian));
    let mut types = Types::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let mut tree = unit.entries_tree(None)?;
        walk(&dwarf, &unit, tree.root()?, "", &mut types)?;
    }
    Ok(types)
}

fn walk<'d>(
    dwarf: &gimli::Dwarf<Reader<'d>>,
    unit: &gimli::Unit<Reader<'d>>,
    node: gimli::EntriesTreeNode<'_, '_, '_, Reader<'d>>,
    path: &str,
    types: &mut Types,
) -> Result<()> {
    let entry = node.entry();
    let name = name(dwarf, unit, entry)?;
    let here = match (entry.tag(), name) {
        (gimli::DW_TAG_namespace | gimli::DW_TAG_structure_type, Some(name)) if path.is_empty() => {
            name
        }
        (gimli::DW_TAG_namespace | gimli::DW_TAG_structure_type, Some(name)) => {
            format!("{path}::{name}")
        }
        (gimli::DW_TAG_compile_unit, _) => String::new(),
        _ => return Ok(()),
    };
    if entry.tag() == gimli::DW_TAG_structure_type
        && let Some(size) = size(entry)?
    {
        let members = members(dwarf, unit, entry.offset())?;
        types.insert(here.clone(), Type { size, members });
    }
    let mut children = node.children();
    while let Some(child) = children.next()? {
        walk(dwarf, unit, child, &here, types)?;
    }
    Ok(())
}

type Entry<'a, 'u, 'd> = gimli::DebuggingInformationEntry<'a, 'u, Reader<'d>>;

fn name<'d>(
    dwarf: &gimli::Dwarf<Reader<'d>>,
    unit: &gimli::Unit<Reader<'d>>,
    entry: &Entry<'_, '_, 'd>,
) -> Result<Option<String>> {
    let Some(value) = entry.attr_value(gimli::DW_AT_name)? else {
        return Ok(None);
    };
    let text = dwarf.attr_string(unit, value)?;
    Ok(Some(text.to_string_lossy().into_owned()))
}

fn size(entry: &Entry<'_, '_, '_>) -> Result<Option<u64>> {
    let value = entry.attr_value(gimli::DW_AT_byte_size)?;
    Ok(value.and_then(|value| value.udata_value()))
}

fn members(
    dwarf: &gimli::Dwarf<Reader<'_>>,
    unit: &gimli::Unit<Reader<'_>>,
    at: gimli::UnitOffset,
) -> Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    let mut tree = unit.entries_tree(Some(at))?;
    let mut children = tree.root()?.children();
    while let Some(child) = children.next()? {
        let entry = child.entry();
        if entry.tag() != gimli::DW_TAG_member {
            continue;
        }
        let Some(AttributeValue::UnitRef(of)) = entry.attr_value(gimli::DW_AT_type)? else {
            continue;
        };
        let of = unit.entry(of)?;
        if let (Some(name), Some(size)) = (name(dwarf, unit, entry)?, size(&of)?) {
            found.push((name, size));
        }
    }
    found.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    Ok(found)
}
