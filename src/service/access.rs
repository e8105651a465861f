//! Who may do what at a station: from the uid and the groups of the process at the other end of the socket.

use crate::face::Role;
use crate::remedy::{Remedy, Retry};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::ffi::{CString, OsString};

/// The accounts that a station lets in. Its owner and root are always operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    owner_uid: u32,
    operators: Option<u32>,
    observers: Option<u32>,
}

/// Why a group can't be let in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The machine knows no such group.
    #[error("{variable} names the group {name:?}, which this machine doesn't have")]
    NoSuchGroup {
        /// The variable that names it.
        variable: &'static str,
        /// The name.
        name: String,
    },
    /// The machine's list of groups can't be read.
    #[error("cannot look up the group {name:?} of {variable}: {source}")]
    Lookup {
        /// The variable that names it.
        variable: &'static str,
        /// The name.
        name: String,
        /// What the system said.
        source: nix::Error,
    },
}

impl Remedy for AccessError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NoSuchGroup { .. } => "make the group with groupadd, or correct the name",
            Self::Lookup { .. } => "check that getent group NAME answers on this machine",
        }
    }

    fn retry(&self) -> Retry {
        Retry::AfterOperator
    }
}

impl Access {
    /// Lets in nobody but `owner_uid` and root.
    pub fn private(owner_uid: u32) -> Self {
        Self { owner_uid, operators: None, observers: None }
    }

    /// Lets in the members of two groups, by gid, as operators and as observers.
    pub fn shared(owner_uid: u32, operators: Option<u32>, observers: Option<u32>) -> Self {
        Self { owner_uid, operators, observers }
    }

    /// The groups that `KILN_OPERATORS` and `KILN_OBSERVERS` name. `env` looks a variable up; an empty one counts as
    /// not set.
    pub fn find(owner_uid: u32, env: impl Fn(&str) -> Option<OsString>) -> Result<Self, AccessError> {
        let group = |variable: &'static str| {
            let Some(name) = env(variable).filter(|name| !name.is_empty()) else { return Ok(None) };
            let name = name.to_string_lossy().into_owned();
            match Group::from_name(&name) {
                Ok(Some(group)) => Ok(Some(group.gid.as_raw())),
                Ok(None) => Err(AccessError::NoSuchGroup { variable, name }),
                Err(source) => Err(AccessError::Lookup { variable, name, source }),
            }
        };
        Ok(Self { owner_uid, operators: group("KILN_OPERATORS")?, observers: group("KILN_OBSERVERS")? })
    }

    /// What an account with this uid and these groups may do; `None`: nothing.
    pub fn role(&self, uid: u32, gids: &[u32]) -> Option<Role> {
        let member = |group: Option<u32>| group.is_some_and(|gid| gids.contains(&gid));
        if uid == 0 || uid == self.owner_uid || member(self.operators) {
            Some(Role::Operator)
        } else if member(self.observers) {
            Some(Role::Observer)
        } else {
            None
        }
    }

    /// Whether anybody but the owner and root may come in.
    pub(super) fn is_private(&self) -> bool {
        self.operators.is_none() && self.observers.is_none()
    }
}

/// The account behind a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// Its name, else `uid N`.
    pub(super) name: String,
    /// The group that the process acts for and those that the account belongs to.
    pub(super) gids: Vec<u32>,
}

impl Account {
    /// Looks the account up; may wait for a directory server. One that the machine doesn't know has the groups that
    /// the connection proves and no other.
    pub(super) fn of(uid: u32, gid: u32) -> Self {
        let mut account = Self { name: format!("uid {uid}"), gids: vec![gid] };
        let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return account };
        if let Ok(name) = CString::new(user.name.as_str()) {
            let gids = getgrouplist(&name, user.gid).unwrap_or_default();
            account.gids.extend(gids.into_iter().map(Gid::as_raw));
        }
        account.name = user.name;
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owner_and_root_operate_groups_decide_for_the_rest() {
        let access = Access::shared(1000, Some(50), Some(60));
        assert_eq!(access.role(1000, &[]), Some(Role::Operator));
        assert_eq!(access.role(0, &[]), Some(Role::Operator));
        assert_eq!(access.role(1001, &[7, 50]), Some(Role::Operator));
        assert_eq!(access.role(1001, &[60, 50]), Some(Role::Operator));
        assert_eq!(access.role(1001, &[60]), Some(Role::Observer));
        assert_eq!(access.role(1001, &[1000]), None);
        assert_eq!(access.role(1001, &[]), None);
        assert_eq!(Access::private(1000).role(1001, &[0, 50, 60]), None);
    }

    #[test]
    fn root_is_known_by_name_and_a_stranger_by_number() {
        let root = Account::of(0, 0);
        assert_eq!(root.name, "root");
        assert!(root.gids.contains(&0));
        let stranger = Account::of(4_000_000_001, 77);
        assert_eq!(stranger, Account { name: "uid 4000000001".into(), gids: vec![77] });
    }

    #[test]
    fn a_group_that_is_not_there_is_an_error_and_not_nobody() {
        let named = |variable: &str| (variable == "KILN_OBSERVERS").then(|| "no-such-group".into());
        let error = Access::find(1000, named).unwrap_err();
        assert_eq!(
            error.to_string(),
            "KILN_OBSERVERS names the group \"no-such-group\", which this machine doesn't have"
        );
        assert_eq!(Access::find(1000, |_| None).unwrap(), Access::private(1000));
        let root = Access::find(1000, |_| Some("root".into())).unwrap();
        assert_eq!(root, Access::shared(1000, Some(0), Some(0)));
    }

    #[test]
    fn every_error_has_a_remedy() {
        let (variable, name) = ("KILN_OPERATORS", String::from("g"));
        for error in [
            AccessError::NoSuchGroup { variable, name: name.clone() },
            AccessError::Lookup { variable, name, source: nix::Error::EIO },
        ] {
            assert!(!error.remedy().is_empty() && !error.remedy().ends_with('.'), "{error}");
            assert_eq!(error.retry(), Retry::AfterOperator);
        }
    }
}
