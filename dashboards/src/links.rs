//! The dashboards without Grafana: a page with links to Prometheus' own expression browser, one for each
//! row of panels.

use form_urlencoded::Serializer;

use crate::dashboard::{Dashboard, Panel, Row};
use crate::query::Query;

/// An HTML page for the folder that Prometheus serves as `/consoles/`.
#[must_use]
pub fn links() -> String {
    let dashboards: String = crate::all().iter().map(section).collect();
    format!("<!doctype html>\n<title>counter-server</title>\n{dashboards}")
}

fn section(dashboard: &Dashboard) -> String {
    let rows: String = dashboard.rows.iter().map(link).collect();
    let (title, description) = (dashboard.title, dashboard.description);
    format!("<h1>{title}</h1>\n<p>{description}</p>\n<dl>\n{rows}</dl>\n")
}

/// The expression browser does not name its graphs, so the panels are named here in their order.
fn link(row: &Row) -> String {
    let panels: Vec<_> = row.panels.iter().map(|panel| panel.title).collect();
    let (address, title, panels) = (address(row), row.title, panels.join(", "));
    format!("<dt><a href=\"{address}\">{title}</a></dt>\n<dd>{panels}</dd>\n")
}

fn address(row: &Row) -> String {
    let mut page = Serializer::new(String::new());
    for (index, panel) in row.panels.iter().enumerate() {
        page.append_pair(&format!("g{index}.expr"), &expression(panel));
        page.append_pair(&format!("g{index}.tab"), "0");
        page.append_pair(&format!("g{index}.range_input"), "15m");
    }
    format!("../graph?{}", page.finish().replace('&', "&amp;"))
}

/// All queries of a panel in one; the names that Grafana's legend would show become a label.
fn expression(panel: &Panel) -> String {
    let one = |query: &Query| {
        let expression = query.everywhere("15s", "15m");
        let legend = &query.legend;
        if panel.queries.len() == 1 {
            expression
        } else if legend.contains("{{") {
            format!("({expression})")
        } else {
            format!(r#"label_replace({expression}, "legend", "{legend}", "", "")"#)
        }
    };
    let queries: Vec<_> = panel.queries.iter().map(one).collect();
    queries.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_queries_of_a_panel_become_one_graph() {
        let all = crate::all();
        let panels: Vec<_> = all
            .iter()
            .flat_map(|it| &it.rows)
            .flat_map(|it| &it.panels)
            .collect();
        let of = |title| expression(panels.iter().find(|panel| panel.title == title).unwrap());
        assert_eq!(of("Count"), r#"max (counter_value{instance=~".+"})"#);
        let commits = of("Commit latency");
        assert_eq!(
            commits
                .matches(" or label_replace(histogram_quantile(")
                .count(),
            2
        );
        assert!(
            commits.ends_with(r#", "legend", "p99.9", "", "")"#),
            "{commits}"
        );
    }
}
