//! Limits the work of a short template. minijinja's fuel counts instructions, texts and the elements that filters
//! and loops visit, but multiplying a list costs nothing until `~` writes it out, and each `{% set %}` can double a
//! list. So lists cannot be multiplied, the operands of `~` are measured first, and statements are not allowed.
//! minijinja limits the depth of brackets, but chains such as `1 + 1 + 1` and `not not x` are trees that are as
//! deep as they are long, and it compiles and drops trees recursively. So the words and signs of an expression are
//! counted before it is parsed.

use std::borrow::Cow;
use std::ops::Range;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::{LONGEST, MOST_VALUES, size};

/// Both filters have names of the same length, so that one number maps a place back to the text as written.
const FACTOR: &str = "|_factor";
const JOINED: &str = "|_joined";

/// The greatest number of words and signs of one expression. A tree of this depth fits easily into a thread's
/// stack, also in a build without optimization.
pub(super) const MOST_PIECES: usize = 1_000;

/// A text that is not passed to minijinja: the reason, and the place in bytes.
pub(super) type Withheld = (String, Range<usize>);

type Piece<'t> = (Token<'t>, Range<usize>);

/// A text in which factors and joined operands pass through filters.
pub(super) struct Guarded<'t> {
    pub text: Cow<'t, str>,
    /// The pieces of the text as written behind which a filter was put, in bytes.
    after: Vec<Range<usize>>,
}

impl Guarded<'_> {
    /// The place in the text as written. The place of a filter is the piece before it.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let place = self.before(range.start)..self.before(range.end);
        let guarded = self.after.iter().find(|piece| place.is_empty() && piece.end == place.end);
        guarded.cloned().unwrap_or(place)
    }

    fn before(&self, place: usize) -> usize {
        let mut shift = 0;
        for piece in &self.after {
            let at = piece.end + shift;
            if at >= place {
                break;
            }
            shift += FACTOR.len().min(place - at);
        }
        place - shift
    }
}

/// Adds the filters that `text` uses.
pub(super) fn equip(environment: &mut Environment<'_>) {
    environment.add_filter(&FACTOR[1..], |value: Value| match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => Err(refused("a list cannot be multiplied")),
        _ => Ok(value),
    });
    environment.add_filter(&JOINED[1..], |value: Value| {
        if size::fits(&value, MOST_VALUES, LONGEST) {
            return Ok(value);
        }
        Err(refused("the value is too large"))
    });
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

/// The text of a template, or of an expression without its braces, with its guards.
pub(super) fn text(text: &str, is_expression: bool) -> Result<Guarded<'_>, Withheld> {
    let pieces = pieces(text, is_expression)?;
    let mut guards = Vec::new();
    for (index, (token, _)) in pieces.iter().enumerate() {
        let guard = match token {
            Token::Mul => FACTOR,
            Token::Tilde => JOINED,
            _ => continue,
        };
        // After a bracket or a comma the star spreads a list over arguments.
        let Some(left) = index.checked_sub(1).filter(|at| ends_operand(&pieces[*at].0)) else {
            continue;
        };
        guards.push((pieces[left].1.clone(), guard));
        if let Some(right) = operand_end(&pieces, index + 1) {
            guards.push((pieces[right].1.clone(), guard));
        }
    }
    guards.sort_by_key(|(piece, _)| piece.end);
    Ok(Guarded {
        text: with_guards(text, &guards),
        after: guards.into_iter().map(|(piece, _)| piece).collect(),
    })
}

/// The words and signs of a text. An error if it has statements, or an expression with too many words and signs.
fn pieces(text: &str, is_expression: bool) -> Result<Vec<Piece<'_>>, Withheld> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let mut of_expression = 0_usize;
    // Syntax errors are reported when the text is compiled.
    for (token, span) in
        tokenize(text, is_expression, SyntaxConfig::default()).map_while(Result::ok)
    {
        let range = span.start_offset as usize..span.end_offset as usize;
        of_expression = match token {
            Token::BlockStart => {
                return Err((
                    "statements are not allowed in plans, only {{ expressions }}".to_owned(),
                    range,
                ));
            }
            Token::VariableStart | Token::VariableEnd | Token::TemplateData(_) => 0,
            _ => of_expression + 1,
        };
        if of_expression > MOST_PIECES {
            let most = crate::words::grouped(MOST_PIECES as u64);
            return Err((format!("the expression has more than {most} words and signs"), range));
        }
        pieces.push((token, range));
    }
    Ok(pieces)
}

/// The expressions of a text that can be read, without their braces.
pub(super) fn expressions(text: &str) -> Vec<Range<usize>> {
    let pieces = pieces(text, false).unwrap_or_default();
    let ends = |token: fn(&Token<'_>) -> bool| pieces.iter().filter(move |(t, _)| token(t));
    let starts = ends(|token| matches!(token, Token::VariableStart)).map(|(_, place)| place.end);
    let ends = ends(|token| matches!(token, Token::VariableEnd)).map(|(_, place)| place.start);
    starts.zip(ends).map(|(start, end)| start..end).collect()
}

/// The text with each guard behind its piece; the guards are in the order of their places.
fn with_guards<'t>(text: &'t str, guards: &[(Range<usize>, &str)]) -> Cow<'t, str> {
    if guards.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut guarded = String::with_capacity(text.len() + guards.len() * FACTOR.len());
    let mut written = 0;
    for (piece, guard) in guards {
        guarded.push_str(&text[written..piece.end]);
        guarded.push_str(guard);
        written = piece.end;
    }
    guarded.push_str(&text[written..]);
    Cow::Owned(guarded)
}

fn ends_operand(token: &Token<'_>) -> bool {
    use Token as T;
    matches!(
        token,
        T::Ident(_)
            | T::Str(_)
            | T::String(_)
            | T::Int(_)
            | T::Int128(_)
            | T::Float(_)
            | T::BracketClose
            | T::ParenClose
            | T::BraceClose
    )
}

/// The last piece of the operand that begins at `at`, with everything that binds closer than an operator.
fn operand_end(pieces: &[Piece<'_>], mut at: usize) -> Option<usize> {
    while matches!(pieces.get(at)?.0, Token::Minus) {
        at += 1;
    }
    let mut end = closing(pieces, at)?;
    loop {
        end = match pieces.get(end + 1).map(|(token, _)| token) {
            Some(Token::Dot | Token::Pipe) => end + 2,
            Some(Token::ParenOpen | Token::BracketOpen) => closing(pieces, end + 1)?,
            _ => return Some(end).filter(|end| *end < pieces.len()),
        }
    }
}

/// The piece that closes the bracket at `at`. A piece that is not a bracket closes itself.
fn closing(pieces: &[Piece<'_>], at: usize) -> Option<usize> {
    use Token as T;
    let mut depth = 0_usize;
    for (index, (token, _)) in pieces.iter().enumerate().skip(at) {
        match token {
            T::ParenOpen | T::BracketOpen | T::BraceOpen => depth += 1,
            T::ParenClose | T::BracketClose | T::BraceClose => depth = depth.checked_sub(1)?,
            T::VariableEnd => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(expression: &str) -> String {
        let guarded = text(expression, true).map(|g| g.text.into_owned());
        guarded.unwrap_or_default().replace(FACTOR, "°").replace(JOINED, "^")
    }

    #[test]
    fn operands_are_guarded_and_nothing_else() {
        assert_eq!(guarded("a * b"), "a° * b°");
        assert_eq!(guarded("a.b[0](1) * -c|int('*') ** 2"), "a.b[0](1)° * -c|int('*')° ** 2");
        assert_eq!(guarded("a ~ (b * [1]) ~ c"), "a^ ~ (b° * [1]°)^^ ~ c^");
        assert_eq!(guarded("f(*x)"), "f(*x)");
        assert_eq!(guarded("2 * x is even"), "2° * x° is even");
        assert_eq!(guarded("'a * b ~ c'"), "'a * b ~ c'");
    }

    #[test]
    fn only_expressions_of_a_text_are_guarded() {
        let prose = "it's 2 * 3 ~ {{ n * 2 }}{# a * b #} * {{ '}}' ~ n }}";
        let text = text(prose, false).map(|g| g.text.into_owned()).unwrap_or_default();
        let text = text.replace(FACTOR, "°").replace(JOINED, "^");
        assert_eq!(text, "it's 2 * 3 ~ {{ n° * 2° }}{# a * b #} * {{ '}}'^ ~ n^ }}");
    }

    #[test]
    fn statements_are_found() {
        assert_eq!(text("a {{ 1 }}{% set a = 1 %}", false).err().map(|(_, at)| at), Some(9..11));
        assert!(text("{{ '{% set a = 1 %}' }}{# {% #}", false).is_ok());
    }

    #[test]
    fn places_lead_back_to_the_text_as_written() {
        let guarded = text("a * bc ~ d", true).unwrap_or_else(|_| unreachable!());
        let place = |word: &str| {
            let at = guarded.text.find(word).unwrap_or_default();
            guarded.original(at..at + word.len())
        };
        assert_eq!(place("bc"), 4..6);
        assert_eq!(place(" ~ "), 6..9);
        assert_eq!(place("_joined"), 4..6);
        assert_eq!(guarded.original(0..guarded.text.len()), 0..10);
    }

    #[test]
    fn broken_text_is_survived() {
        for broken in
            ["*", "a *", "a * -", "a ~ (", "a * ]", "a * b |", "a * b.", "{{ a * 'x", "ö * ü"]
        {
            for is_expression in [true, false] {
                let _ = text(broken, is_expression).map(|g| g.original(0..broken.len()));
            }
        }
    }
}
