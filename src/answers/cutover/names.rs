//! What steps and gates are called.

use std::fmt::{self, Display};

use crate::checks::rule::{Rule, RuleSet};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    OpenGate,
    SwitchToCache,
    ChangeRegistry,
    Reimage,
    /// The last round: nodes that still test egress, which is closed by now.
    ReimageAfterClose,
    CloseEgress,
    BackToDirect,
}

impl StepKind {
    /// The name in every format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenGate => "open-gate",
            Self::SwitchToCache => "switch-to-cache",
            Self::ChangeRegistry => "change-registry",
            Self::Reimage => "reimage",
            Self::ReimageAfterClose => "reimage-after-close",
            Self::CloseEgress => "close-egress",
            Self::BackToDirect => "back-to-direct",
        }
    }
}

impl Display for StepKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What a gate asks: a rule of `diagnose`, what a check did not see, or a question that only a cut-over has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateName {
    Rule(&'static Rule),
    Unseen(&'static RuleSet),
    ActivityLogSilent,
    Automatic,
    BudgetsNotCollected,
    ClosingTimeUnknown,
    FormerChangeUnfinished,
    Locked,
    ManagedRegistry,
    OutboundTypeFixed,
    OutboundTypeMigration,
    OwnRoute,
    PoolStopped,
    RegistrationMissing,
    SurgeQuota,
}

impl GateName {
    /// Whether the gate stems from this rule.
    pub fn is(self, rule: &Rule) -> bool {
        matches!(self, Self::Rule(own) if own == rule)
    }
}

impl Display for GateName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Rule(rule) => rule.id,
            Self::Unseen(check) => return write!(out, "unseen-{}", check.id),
            Self::ActivityLogSilent => "activity-log-silent",
            Self::Automatic => "aks-automatic",
            Self::BudgetsNotCollected => "budgets-not-collected",
            Self::ClosingTimeUnknown => "closing-time-unknown",
            Self::FormerChangeUnfinished => "former-change-unfinished",
            Self::Locked => "locked",
            Self::ManagedRegistry => "managed-registry",
            Self::OutboundTypeFixed => "outbound-type-fixed",
            Self::OutboundTypeMigration => "outbound-type-migration",
            Self::OwnRoute => "own-route",
            Self::PoolStopped => "pool-stopped",
            Self::RegistrationMissing => "registration-missing",
            Self::SurgeQuota => "surge-quota",
        })
    }
}
