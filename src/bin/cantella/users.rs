//! Finds users and groups in the text of /etc/passwd and /etc/group. Lines that are no entries are passed over.
//!
//! # References
//! passwd(5), group(5).

use cantella::options::{MAX_GROUPS, User};

use super::settings::{Id, UserSpec};
use super::values;

/// Why there are no credentials for what `--user` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No user of that name.
    User,
    /// No group of that name.
    Group,
    /// A user number without an entry, and no group was named.
    GroupOfNumber,
    /// The user is in more groups than can be given.
    Room,
}

impl Missing {
    /// Gives the reason, as a message ends with it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::User => "no such user in /etc/passwd",
            Self::Group => "no such group in /etc/group",
            Self::GroupOfNumber => "a number without an entry in /etc/passwd needs :GROUP",
            Self::Room => "the user is in more than 64 groups",
        }
    }
}

/// Gives the credentials for what `--user` names: its group is G or the user's own, and with it come all groups that
/// the user is a member of.
///
/// # Errors
/// [`Missing`] says what the two files lack.
pub fn resolve(spec: &UserSpec<'_>, passwd: &[u8], group: &[u8]) -> Result<User, Missing> {
    let entry = entries(passwd).find_map(|fields| user_entry(&fields, spec.user));
    let uid = match (spec.user, &entry) {
        (Id::Number(uid), _) => uid,
        (Id::Name(_), Some(entry)) => entry.uid,
        (Id::Name(_), None) => return Err(Missing::User),
    };
    let gid = match (spec.group, &entry) {
        (Some(Id::Number(gid)), _) => gid,
        (Some(Id::Name(name)), _) => group_named(group, name).ok_or(Missing::Group)?,
        (None, Some(entry)) => entry.gid,
        (None, None) => return Err(Missing::GroupOfNumber),
    };
    let mut user = User { uid, gid, groups: [0; MAX_GROUPS], group_count: 0 };
    add_group(&mut user, gid)?;
    let name = entry.map_or(&b""[..], |entry| entry.name);
    for gid in entries(group).filter_map(|fields| membership(&fields, name)) {
        add_group(&mut user, gid)?;
    }
    Ok(user)
}

/// A line of /etc/passwd.
struct Entry<'t> {
    name: &'t [u8],
    uid: u32,
    gid: u32,
}

/// The fields that count: name, password, id, and what follows it up to the next colon.
type Fields<'t> = [&'t [u8]; 4];

/// Splits a file into the fields of its lines. What begins with `#` is a comment, with `+` or `-` a NIS entry.
fn entries(text: &[u8]) -> impl Iterator<Item = Fields<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !matches!(name, [] | [b'#' | b'+' | b'-', ..]))?;
        Some([name, fields.next()?, fields.next()?, fields.next()?])
    })
}

/// Reads a line of /etc/passwd, if it is this user's.
fn user_entry<'t>(&[name, _, uid, gid]: &Fields<'t>, user: Id<'_>) -> Option<Entry<'t>> {
    let entry = Entry { name, uid: values::id(uid)?, gid: values::id(gid)? };
    let wanted = match user {
        Id::Number(uid) => entry.uid == uid,
        Id::Name(name) => entry.name == name,
    };
    wanted.then_some(entry)
}

/// Finds a group's number.
fn group_named(text: &[u8], wanted: &[u8]) -> Option<u32> {
    entries(text).find_map(|[name, _, gid, _]| values::id(gid).filter(|_| name == wanted))
}

/// Gives the group of a line of /etc/group, if this user is a member.
fn membership(&[_, _, gid, members]: &Fields<'_>, user: &[u8]) -> Option<u32> {
    let member = !user.is_empty() && members.split(|byte| *byte == b',').any(|member| member == user);
    values::id(gid).filter(|_| member)
}

/// Adds a group unless it is there.
fn add_group(user: &mut User, gid: u32) -> Result<(), Missing> {
    let known = user.groups.get(..user.group_count).unwrap_or_default().contains(&gid);
    if !known {
        *user.groups.get_mut(user.group_count).ok_or(Missing::Room)? = gid;
        user.group_count = user.group_count.saturating_add(1);
    }
    Ok(())
}
