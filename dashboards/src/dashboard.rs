//! What a dashboard is made of, as far as ours differ from one another.

use crate::query::Query;

/// A page of Grafana.
#[derive(Debug)]
pub struct Dashboard {
    /// Its name in addresses and of its file.
    pub uid: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Names that can be chosen at the top, each with the query of its values.
    pub variables: &'static [(&'static str, &'static str)],
    /// From top to bottom.
    pub rows: Vec<Row>,
}

/// Panels under a common heading.
#[derive(Debug)]
pub struct Row {
    /// The heading.
    pub title: &'static str,
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// One graph or number.
#[derive(Debug)]
pub struct Panel {
    /// Unique in its dashboard.
    pub title: &'static str,
    /// How to read it, for somebody who sees it for the first time.
    pub help: &'static str,
    pub(crate) unit: Unit,
    pub(crate) kind: Kind,
    /// At most 26.
    pub queries: Vec<Query>,
}

/// Of the values on the axis, by Grafana's names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Number,
    PerSecond,
    Seconds,
    Bytes,
    BytesPerSecond,
    /// 0 to 1.
    Share,
}

/// How values are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Lines over time.
    Graph,
    /// The newest value; red from this on, if there is one.
    Number { red_from: Option<f64> },
    /// The newest value, 1 for good and 0 for bad.
    Light,
    /// The names of the series.
    Names,
    /// How often which value over time.
    HeatMap,
}

pub(crate) fn graph(
    title: &'static str,
    help: &'static str,
    unit: Unit,
    queries: impl Into<Vec<Query>>,
) -> Panel {
    Panel {
        title,
        help,
        unit,
        kind: Kind::Graph,
        queries: queries.into(),
    }
}

/// A single value.
pub(crate) fn number(title: &'static str, help: &'static str, unit: Unit, query: Query) -> Panel {
    Panel {
        kind: Kind::Number { red_from: None },
        ..graph(title, help, unit, [query])
    }
}

impl Panel {
    /// Drawn otherwise.
    pub(crate) fn drawn(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// A number that is a reason to act from this value on.
    pub(crate) fn red_from(self, value: f64) -> Self {
        self.drawn(Kind::Number {
            red_from: Some(value),
        })
    }
}
