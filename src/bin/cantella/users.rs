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
    let entry = find(passwd, &mut |fields| is_user(fields, spec.user));
    let [name, uid, gid] = entry.map_or([None; 3], |[name, _, uid, gid]| [Some(name), Some(uid), Some(gid)]);
    let uid = match spec.user {
        Id::Number(uid) => uid,
        Id::Name(_) => uid.and_then(values::id).ok_or(Missing::User)?,
    };
    let gid = match spec.group {
        Some(Id::Number(gid)) => gid,
        Some(Id::Name(name)) => group_named(group, name).ok_or(Missing::Group)?,
        None => gid.and_then(values::id).ok_or(Missing::GroupOfNumber)?,
    };
    let mut user = User { uid, gid, groups: [0; MAX_GROUPS], group_count: 0 };
    let mut room = add_group(&mut user, gid);
    let overfull = find(group, &mut |fields| {
        if let Some(gid) = membership(fields, name.unwrap_or_default()) {
            room = add_group(&mut user, gid);
        }
        room.is_none()
    });
    if overfull.is_some() { Err(Missing::Room) } else { Ok(user) }
}

/// The fields that count: name, password, id, and what follows it up to the next colon.
type Fields<'t> = [&'t [u8]; 4];

/// Finds the first line of a file whose fields are such. What begins with `#` is a comment, with `+` or `-` a NIS entry.
fn find<'t>(text: &'t [u8], is_it: &mut dyn FnMut(&Fields<'t>) -> bool) -> Option<Fields<'t>> {
    let mut lines = text.split(|byte| *byte == b'\n').filter_map(fields);
    lines.find(is_it)
}

/// Splits a line into its fields.
fn fields(line: &[u8]) -> Option<Fields<'_>> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next().filter(|name| !matches!(name, [] | [b'#' | b'+' | b'-', ..]))?;
    Some([name, fields.next()?, fields.next()?, fields.next()?])
}

/// Tells whether a line of /etc/passwd is this user's.
fn is_user(&[name, _, uid, gid]: &Fields<'_>, user: Id<'_>) -> bool {
    match (user, values::id(uid), values::id(gid)) {
        (Id::Number(wanted), Some(uid), Some(_)) => uid == wanted,
        (Id::Name(wanted), Some(_), Some(_)) => name == wanted,
        (Id::Number(_) | Id::Name(_), _, _) => false,
    }
}

/// Finds a group's number.
fn group_named(text: &[u8], wanted: &[u8]) -> Option<u32> {
    let [_, _, gid, _] = find(text, &mut |&[name, _, gid, _]| name == wanted && values::id(gid).is_some())?;
    values::id(gid)
}

/// Gives the group of a line of /etc/group, if this user is a member.
fn membership(&[_, _, gid, members]: &Fields<'_>, user: &[u8]) -> Option<u32> {
    let member = !user.is_empty() && members.split(|byte| *byte == b',').any(|member| member == user);
    values::id(gid).filter(|_| member)
}

/// Adds a group unless it is there; `None`: there is no room.
fn add_group(user: &mut User, gid: u32) -> Option<()> {
    let known = user.groups.get(..user.group_count)?.contains(&gid);
    if !known {
        *user.groups.get_mut(user.group_count)? = gid;
        user.group_count = user.group_count.saturating_add(1);
    }
    Some(())
}
