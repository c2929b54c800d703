//! The terminal's lines, and below them one that is redrawn for each suite.
//!
//! Each frame moves the cursor relative to the previous one, so no frame may be missing: the next is drawn
//! when the terminal has taken the last, and lines wait here until then.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::{Mutex, PoisonError},
};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::{event::SuiteId, out};

/// Lines that wait for the terminal; more are left out.
const WAITING: usize = 1_000;

/// What is shown, and what waits to be shown.
pub struct Bars {
    all: MultiProgress,
    shown: BTreeMap<SuiteId, ProgressBar>,
    waiting: VecDeque<String>,
    left_out: u64,
    color: bool,
}

impl Default for Bars {
    fn default() -> Self {
        let target = ProgressDrawTarget::term_like(Box::new(Screen::default()));
        Self {
            all: MultiProgress::with_draw_target(target),
            shown: BTreeMap::new(),
            waiting: VecDeque::new(),
            left_out: 0,
            color: out::colour(false),
        }
    }
}

impl Bars {
    /// A line above the bars.
    pub fn print(&mut self, line: &str) {
        if self.left_out > 0 || self.waiting.len() >= WAITING {
            self.left_out += 1;
        } else {
            self.waiting.push_back(out::fit(line, self.color));
        }
        if out::is_read() {
            self.flush();
        }
    }

    /// Draws the bars, and what waits.
    pub fn show(&mut self, status: &[(SuiteId, String)]) {
        if out::is_read() {
            self.flush();
            self.draw(status);
        }
    }

    /// The last lines, and no bars.
    pub fn end(&mut self) {
        self.flush();
        self.draw(&[]);
    }

    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut lines: Vec<String> = self.waiting.drain(..).collect();
        if self.left_out > 0 {
            lines.push(out::left_out(std::mem::take(&mut self.left_out)).trim_end().to_owned());
        }
        // The screen takes everything.
        let _ = self.all.println(lines.join("\n"));
    }

    fn draw(&mut self, status: &[(SuiteId, String)]) {
        self.shown.retain(|suite, bar| {
            let stays = status.iter().any(|(s, _)| s == suite);
            if !stays {
                bar.finish_and_clear();
                self.all.remove(bar);
            }
            stays
        });
        for (suite, line) in status {
            let bar = self.shown.entry(*suite).or_insert_with(|| {
                let style = ProgressStyle::with_template("{spinner} {wide_msg}");
                let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
                self.all.add(ProgressBar::new_spinner().with_style(style))
            });
            bar.set_message(out::fit(line, self.color));
            bar.tick();
        }
    }
}

/// The terminal of standard error, drawn on by [`out`], which does not wait for it.
#[derive(Debug)]
struct Screen {
    size: Term,
    frame: Mutex<String>,
}

impl Default for Screen {
    fn default() -> Self {
        Self { size: Term::stderr(), frame: Mutex::default() }
    }
}

impl Screen {
    fn add(&self, text: &str) {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    /// Moves the cursor by a number of places.
    fn go(&self, places: usize, how: char) {
        if places > 0 {
            self.add(&format!("\x1b[{places}{how}"));
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.size.size().1
    }

    fn height(&self) -> u16 {
        self.size.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(&format!("{text}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let frame = std::mem::take(&mut *self.frame.lock().unwrap_or_else(PoisonError::into_inner));
        if !frame.is_empty() {
            out::draw(&frame);
        }
        Ok(())
    }
}
