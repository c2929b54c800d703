//! The declaration of a word's arguments. Struct, reader, schema and manual page are made from it.

use std::any::Any;

use crate::source::Spanned;

/// The documentation of one argument, for the manual and the schema.
#[derive(Debug, Clone, Copy)]
pub struct FieldInfo {
    /// Its key.
    pub key: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// The default, written as in a plan, if it has one.
    pub default: Option<&'static str>,
    /// The expected form of its value.
    pub expects: &'static str,
    /// True if it is required.
    pub required: bool,
    /// How a change of it affects what a plan proves.
    pub weight: Weight,
}

/// How a change of an argument's value affects what a plan proves, for the comparison of two versions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weight {
    /// Not certain.
    Neutral,
    /// A greater value proves or breaks less. With the number that stands for an absent value, if it can be
    /// compared.
    MoreIsWeaker(Option<f64>),
    /// A greater value proves or breaks more. With the number that stands for an absent value, if it can be
    /// compared.
    MoreIsStronger(Option<f64>),
    /// `{count: N}`: fewer is weaker.
    Count,
    /// A list whose elements each prove or break something.
    Elements,
    /// One of these words, in increasing order of strength.
    Row(&'static [&'static str]),
    /// The plan proves more with it than without it.
    Presence,
    /// Conditions that are judged. Each is compared separately.
    Conditions,
}

/// The declaration of a word of the language.
#[derive(Debug, Clone, Copy)]
pub struct WordInfo {
    /// The word.
    pub word: &'static str,
    /// Its manual text: Markdown, the first paragraph is one sentence.
    pub doc: &'static str,
    /// Examples of its use.
    pub examples: &'static [&'static str],
    /// Its arguments.
    pub fields: fn() -> Vec<FieldInfo>,
    /// The argument that is set by the short form, a value that is not a map.
    pub short: Option<&'static str>,
}

impl WordInfo {
    /// The first paragraph of the manual text on one line.
    pub fn summary(&self) -> String {
        let first = self.doc.split("\n\n").next().unwrap_or_default();
        first.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Several keys of a map that together make one value, such as a bound.
pub trait FieldGroup: Sized {
    /// Its keys.
    const KEYS: &'static [&'static str];
    /// The keys of the map form of the short key's type.
    const SHORT_KEYS: &'static [&'static str] = &[];

    /// Reads the value.
    fn from_fields(
        map: &mut crate::read::MapReader<'_>,
        reader: &mut crate::read::Reader,
    ) -> Option<Self>;

    /// Its arguments for the manual.
    fn fields() -> Vec<FieldInfo>;

    /// Its properties for the schema.
    fn properties(
        generator: &mut schemars::SchemaGenerator,
    ) -> Vec<(&'static str, schemars::Schema)>;
}

/// The parts of a word's arguments, each with its declared type.
pub trait Arguments {
    /// Visits each part, in the order of the declaration.
    fn parts<'p>(&'p self, _show: &mut dyn FnMut(&'p dyn Any)) {}

    /// Visits each part mutably.
    fn parts_mut<'p>(&'p mut self, _show: &mut dyn FnMut(&'p mut dyn Any)) {}
}

/// The parts of one type, also inside `Option` and `Spanned`.
pub(crate) fn arguments_of<T: 'static>(word: &dyn Arguments) -> Vec<&T> {
    let mut found = Vec::new();
    word.parts(&mut |part| {
        let part = part
            .downcast_ref::<T>()
            .or_else(|| part.downcast_ref::<Spanned<T>>().map(|p| &p.value))
            .or_else(|| part.downcast_ref::<Option<T>>().and_then(Option::as_ref))
            .or_else(|| {
                let part = part.downcast_ref::<Option<Spanned<T>>>();
                part.and_then(Option::as_ref).map(|p| &p.value)
            });
        found.extend(part);
    });
    found
}

/// Declares the arguments of a word.
///
/// ```text
/// args! {
///     /// Kills brokers.
///     #[example("kill_broker: 2")]
///     pub struct KillBroker("kill_broker") short broker {
///         /// The broker.
///         broker: Spanned<Target>,
///         /// How many.
///         #[weighs(MoreIsStronger(Some(0.0)))]
///         count: u64 = "3",
///         /// How long.
///         for_time as "for": Option<Duration>,
///         ..bound: Option<Bound<Count>>,
///     }
/// }
/// ```
macro_rules! args {
    (
        $(#[doc = $doc:literal])+
        $(#[example($example:literal)])*
        pub struct $name:ident($word:literal) $(short $short:literal)? {
            $(
                $(#[doc = $fdoc:literal])+
                $(#[weighs($($weight:tt)+)])?
                $field:ident $(as $key:literal)? : $ty:ty $(= $default:literal)? ,
            )*
            $( .. $group:ident : $gty:ty , )*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $fdoc])+ pub $field: $ty,)*
            $(#[doc = "The keys that narrow or bound it."] pub $group: $gty,)*
        }

        impl $name {
            /// The documentation of the word.
            pub const INFO: $crate::args::WordInfo = $crate::args::WordInfo {
                word: $word,
                doc: concat!($($doc, "\n"),+),
                examples: &[$($example),*],
                fields: Self::fields,
                short: $crate::args::args!(@short $($short)?),
            };

            fn fields() -> Vec<$crate::args::FieldInfo> {
                #[allow(unused_mut, reason = "only words with groups add to it")]
                let mut all = vec![$($crate::args::FieldInfo {
                    key: $crate::args::args!(@key $field $($key)?),
                    doc: concat!($($fdoc, "\n"),+),
                    default: $crate::args::args!(@text $($default)?),
                    expects: <$ty as $crate::read::FromNode>::EXPECTS,
                    required: $crate::args::args!(@required $ty $(, $default)?),
                    weight: $crate::args::args!(@weight $($($weight)+)?),
                }),*];
                $(all.extend(<$gty as $crate::args::FieldGroup>::fields());)*
                all
            }

            const KEYS: &'static [&'static [&'static str]] = &[
                &[$($crate::args::args!(@key $field $($key)?)),*],
                $(<$gty as $crate::args::FieldGroup>::KEYS,)*
            ];
        }

        impl $crate::meaning::Meaning for $name {
            #[allow(unused_mut, reason = "a word may have no arguments")]
            fn meaning(&self) -> serde_json::Value {
                let mut map = serde_json::Map::new();
                $($crate::meaning::put(
                    &mut map,
                    $crate::args::args!(@key $field $($key)?),
                    $crate::meaning::Meaning::meaning(&self.$field),
                );)*
                $($crate::meaning::GroupMeaning::add_to(&self.$group, &mut map);)*
                serde_json::Value::Object(map)
            }
        }

        impl $crate::args::Arguments for $name {
            #[allow(unused_variables, reason = "a word may have no arguments")]
            fn parts<'p>(&'p self, show: &mut dyn FnMut(&'p dyn std::any::Any)) {
                $(show(&self.$field);)*
                $(show(&self.$group);)*
            }

            #[allow(unused_variables, reason = "a word may have no arguments")]
            fn parts_mut<'p>(&'p mut self, show: &mut dyn FnMut(&'p mut dyn std::any::Any)) {
                $(show(&mut self.$field);)*
                $(show(&mut self.$group);)*
            }
        }

        impl $crate::read::FromNode for $name {
            const EXPECTS: &'static str = concat!("the arguments of `", $word, "`");
            const MAP_KEYS: &'static [&'static str] = &[$($crate::args::args!(@key $field $($key)?)),*];

            #[allow(unused_variables, unused_mut, reason = "a word may have no arguments")]
            fn from_node(
                node: &$crate::document::Node,
                reader: &mut $crate::read::Reader,
            ) -> Option<Self> {
                static KEYS: std::sync::LazyLock<Vec<&'static str>> =
                    std::sync::LazyLock::new(|| $name::KEYS.concat());
                static SHORT_KEYS: std::sync::LazyLock<Vec<&'static str>> =
                    std::sync::LazyLock::new(|| {
                        let of: &[(&str, &'static [&'static str])] = &[$((
                            $crate::args::args!(@key $field $($key)?),
                            <$ty as $crate::read::FromNode>::MAP_KEYS,
                        )),*];
                        let short = $name::INFO.short;
                        let own = of.iter().filter(|(key, _)| Some(*key) == short);
                        own.flat_map(|(_, keys)| keys.iter().copied()).collect()
                    });
                let shape = $crate::read::Shape {
                    word: $word,
                    keys: &KEYS,
                    short: Self::INFO.short,
                    short_keys: &SHORT_KEYS,
                };
                let scope = std::sync::Arc::clone(&reader.scope);
                let mut map = reader.open(node, &shape, scope.defaults($word))?;
                $(let $field = $crate::args::args!(@read map, reader, $crate::args::args!(@key $field $($key)?), $ty $(, $default)?);)*
                $(let $group = <$gty as $crate::args::FieldGroup>::from_fields(&mut map, reader);)*
                map.finish(reader);
                Some(Self { $($field: $field?,)* $($group: $group?,)* })
            }

            #[allow(unused_variables, unused_mut, reason = "a word may have no arguments")]
            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut properties: Vec<(&'static str, schemars::Schema)> = vec![$((
                    $crate::args::args!(@key $field $($key)?),
                    $crate::schema::described(
                        <$ty as $crate::read::FromNode>::schema(generator),
                        concat!($($fdoc, "\n"),+),
                        $crate::args::args!(@text $($default)?),
                    ),
                )),*];
                $(properties.extend(<$gty as $crate::args::FieldGroup>::properties(generator));)*
                let short = Self::INFO.short.and_then(|short| {
                    properties.iter().find(|(key, _)| *key == short).map(|(_, s)| s.clone())
                });
                let required: Vec<&str> = Self::fields().iter().filter(|f| f.required).map(|f| f.key).collect();
                $crate::schema::word(properties, required, short)
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@short) => { None };
    (@short $short:literal) => { Some($short) };
    (@text) => { None };
    (@text $default:literal) => { Some($default) };
    (@weight) => { $crate::args::Weight::Neutral };
    (@weight $($weight:tt)+) => { $crate::args::Weight::$($weight)+ };
    (@required $ty:ty) => { <$ty as $crate::read::FromNode>::missing().is_none() };
    (@required $ty:ty, $default:literal) => { false };
    (@read $map:ident, $reader:ident, $key:expr, $ty:ty) => {
        $map.field::<$ty>($key, $reader)
    };
    (@read $map:ident, $reader:ident, $key:expr, $ty:ty, $default:literal) => {
        $map.field_or::<$ty>($key, $reader, $default)
    };
}

pub(crate) use args;
