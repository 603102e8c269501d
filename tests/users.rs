//! `--user`: names and numbers looked up in the text of /etc/passwd and /etc/group.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

pub mod arguments;

use arguments::understood;
use arguments::users::{Missing, resolve};
use cantella::options::{MAX_GROUPS, User};

/// Entries among lines that are none.
const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
# www:x:7:7::/:/bin/sh

+nis:x:6:6::/:
+
short:x:5
:x:77:77:no name:/:
word:x:a:1::/:
www:x:33:33:www,data:/var/www:/usr/sbin/nologin
www:x:99:99:the first entry counts:/:
huge:x:4294967295:5::/:
nogroup:x:44:4294967295::/:
spaced :x:45:45::/:
mail:x:8:8:no newline at the end:/:";

const GROUP: &str = "\
root:x:0:
www:x:33:
disk:x:6:root,www
adm:x:4:wwww,ww,www2
:x:70:www
bad:x:z:www
short:x:71
twice:x:6:www
web:x:50:mail,www
web:x:51:the first entry counts
last:x:60:www";

fn found(spec: &str, passwd: &str, group: &str) -> Result<User, Missing> {
    let settings = understood(&["cantella", "--user", spec, "true"], &[]);
    resolve(&settings.user.unwrap(), passwd.as_bytes(), group.as_bytes())
}

#[test]
fn a_user_gets_its_ids_and_all_its_groups() {
    for (spec, uid, gid, groups) in [
        ("www", 33, 33, &[33, 6, 50, 60][..]),
        ("33", 33, 33, &[33, 6, 50, 60]),
        ("www:disk", 33, 6, &[6, 50, 60]),
        ("www:web", 33, 50, &[50, 6, 60]),
        ("www:1234", 33, 1234, &[1234, 6, 50, 60]),
        ("root", 0, 0, &[0, 6]),
        ("mail", 8, 8, &[8, 50]),
        ("1000:33", 1000, 33, &[33]),
        ("1000:last", 1000, 60, &[60]),
        ("77:0", 77, 0, &[0]),
        ("spaced ", 45, 45, &[45]),
    ] {
        let user = found(spec, PASSWD, GROUP).unwrap_or_else(|missing| panic!("{spec}: {missing:?}"));
        assert_eq!((user.uid, user.gid, &user.groups[..user.group_count]), (uid, gid, groups), "{spec}");
    }
}

#[test]
fn what_the_files_lack_is_named() {
    for (spec, missing) in [
        ("nobody", Missing::User),
        ("ww", Missing::User),
        ("www2", Missing::User),
        ("short", Missing::User),
        ("word", Missing::User),
        ("huge", Missing::User),
        ("nogroup", Missing::User),
        ("+", Missing::User),
        ("+nis", Missing::User),
        ("nis", Missing::User),
        ("# www", Missing::User),
        ("77", Missing::GroupOfNumber),
        ("1000", Missing::GroupOfNumber),
        ("www:none", Missing::Group),
        ("www:bad", Missing::Group),
        ("1000:none", Missing::Group),
    ] {
        assert_eq!(found(spec, PASSWD, GROUP).unwrap_err(), missing, "{spec}");
        assert!(!missing.reason().is_empty());
    }
}

#[test]
fn numbers_need_no_files() {
    let user = found("1:2", "", "").unwrap();
    assert_eq!((user.uid, user.gid, user.group_count), (1, 2, 1));
    assert_eq!(found("root", "", "").unwrap_err(), Missing::User);
}

#[test]
fn more_groups_than_there_is_room_for_are_refused() {
    let group =
        |count| (0..count).map(|number| format!("g{number}:x:{}:www", 1000 + number)).collect::<Vec<_>>().join("\n");
    let fits = found("www", PASSWD, &group(MAX_GROUPS - 1)).unwrap();
    assert_eq!(fits.group_count, MAX_GROUPS);
    assert_eq!(found("www", PASSWD, &group(MAX_GROUPS)).unwrap_err(), Missing::Room);
    assert!(Missing::Room.reason().contains(&MAX_GROUPS.to_string()));
}
