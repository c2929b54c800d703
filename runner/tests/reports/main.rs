//! Reports and the record they are made from, by runs that are told in the tests.

mod compare;
mod html;
mod junit;
mod live;
mod outage;
mod record;
mod second_opinion;
mod small;
mod story;
mod terminal;
