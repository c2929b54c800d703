//! A command in a node's container, and what it printed.

/// Marks in a script the moment before an action.
pub const FROM: &str = "echo kplan-from $EPOCHREALTIME";
/// Marks in a script the moment after an action.
pub const BY: &str = "echo kplan-by $EPOCHREALTIME";

/// The result of a command.
pub struct Output {
    /// Exit status; none if the engine does not report it.
    pub status: Option<i64>,
    /// What it printed, to both streams.
    pub text: Vec<u8>,
}

impl Output {
    /// What it printed as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// The wall-clock times that [`FROM`] and [`BY`] printed, in microseconds, if both did.
    pub fn stamps(&self) -> Option<(i64, i64)> {
        let text = self.text();
        let stamp = |mark: &str| {
            let mut reported = text.lines().filter_map(|line| line.trim().strip_prefix(mark));
            // The decimal separator depends on the locale.
            reported.next_back()?.trim().replace(['.', ','], "").parse().ok()
        };
        Some((stamp("kplan-from")?, stamp("kplan-by")?))
    }

    /// It ended with status 0.
    pub fn succeeded(&self) -> bool {
        self.status == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_tells_when_it_acted() {
        let stamps = |text: &str| Output { status: Some(0), text: text.into() }.stamps();
        assert_eq!(
            stamps("x\r\nkplan-from 1700.000001\r\n4096\nkplan-by 1700,500000\n"),
            Some((1_700_000_001, 1_700_500_000))
        );
        // A shell without a clock prints nothing behind the mark.
        assert_eq!(stamps("kplan-from\nkplan-by\n"), None);
        assert_eq!(stamps("kplan-from 1.000000"), None);
    }
}
