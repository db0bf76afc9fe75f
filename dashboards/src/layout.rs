//! A dashboard in Grafana's JSON: places, colours, and what is the same for every panel.
//!
//! <https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/>

use serde_json::{Value, json};

use crate::dashboard::{Dashboard, Kind, Panel, Unit};
use crate::query::Query;

/// Grafana's grid has so many columns.
const COLUMNS: u32 = 24;

impl Dashboard {
    /// The file for Grafana.
    #[must_use]
    pub fn json(&self) -> String {
        let dashboard = json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["counter-server"],
            "schemaVersion": 39,
            "editable": true,
            "graphTooltip": 1,
            "refresh": "5s",
            "time": { "from": "now-15m", "to": "now" },
            "templating": { "list": self.choices() },
            "panels": self.panels(),
        });
        format!("{dashboard:#}\n")
    }

    fn choices(&self) -> Vec<Value> {
        let datasource = json!({
            "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus",
        });
        let of_labels = self.variables.iter().map(|(name, query)| {
            json!({
                "name": name,
                "type": "query",
                "datasource": datasource_reference(),
                "query": { "query": query, "refId": name },
                "definition": query,
                "refresh": 2,
                "sort": 1,
                "multi": true,
                "includeAll": true,
                "allValue": ".+",
                "current": { "text": "All", "value": "$__all" },
            })
        });
        std::iter::once(datasource).chain(of_labels).collect()
    }

    fn panels(&self) -> Vec<Value> {
        let mut placed = Vec::new();
        let mut y = 0;
        for row in &self.rows {
            placed.push(json!({
                "id": placed.len() + 1,
                "type": "row",
                "title": row.title,
                "collapsed": false,
                "panels": [],
                "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
            }));
            y += 1;
            let (mut x, mut height) = (0, 0);
            for panel in &row.panels {
                let (w, h) = panel.kind.size();
                if x + w > COLUMNS || (height > 0 && h != height) {
                    y += height;
                    x = 0;
                }
                height = h;
                let place = json!({ "x": x, "y": y, "w": w, "h": h });
                placed.push(panel.json(placed.len() + 1, &place));
                x += w;
            }
            y += height;
        }
        placed
    }
}

fn datasource_reference() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

impl Kind {
    fn size(self) -> (u32, u32) {
        match self {
            Self::Number { .. } | Self::Light | Self::Names => (4, 4),
            Self::Graph | Self::HeatMap => (8, 8),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Number { .. } | Self::Light | Self::Names => "stat",
            Self::Graph => "timeseries",
            Self::HeatMap => "heatmap",
        }
    }

    fn options(self) -> Value {
        let newest = json!({ "calcs": ["lastNotNull"] });
        match self {
            Self::Number { .. } | Self::Light => {
                json!({ "reduceOptions": newest, "colorMode": "value", "graphMode": "area" })
            }
            Self::Names => {
                json!({ "reduceOptions": newest, "textMode": "name", "colorMode": "none", "graphMode": "none" })
            }
            Self::Graph => json!({
                "legend": { "displayMode": "list", "placement": "bottom" },
                "tooltip": { "mode": "multi", "sort": "desc" },
            }),
            Self::HeatMap => json!({
                "calculate": false,
                "yAxis": { "unit": "s" },
                "color": { "mode": "scheme", "scheme": "Spectral", "reverse": true },
                "tooltip": { "mode": "single" },
            }),
        }
    }

    fn thresholds(self) -> Value {
        let step = |color: &str, value: Option<f64>| json!({ "color": color, "value": value });
        let steps = match self {
            Self::Number {
                red_from: Some(value),
            } => vec![step("green", None), step("red", Some(value))],
            Self::Light => vec![step("red", None), step("green", Some(1.0))],
            _ => vec![step("green", None)],
        };
        json!({ "mode": "absolute", "steps": steps })
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Number => "short",
            Self::PerSecond => "cps",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "Bps",
            Self::Share => "percentunit",
        }
    }
}

impl Panel {
    fn json(&self, id: usize, place: &Value) -> Value {
        let mut defaults =
            json!({ "unit": self.unit.name(), "thresholds": self.kind.thresholds() });
        if matches!(self.kind, Kind::Graph) {
            defaults["min"] = json!(0);
            defaults["custom"] = json!({ "fillOpacity": 8, "showPoints": "never" });
        }
        if matches!(self.kind, Kind::Light) {
            defaults["mappings"] = json!([{
                "type": "value",
                "options": { "0": { "text": "down" }, "1": { "text": "up" } },
            }]);
        }
        json!({
            "id": id,
            "type": self.kind.name(),
            "title": self.title,
            "description": self.help,
            "datasource": datasource_reference(),
            "gridPos": place,
            "fieldConfig": { "defaults": defaults, "overrides": [] },
            "options": self.kind.options(),
            "targets": ('A'..).zip(&self.queries).map(|(id, query)| query.target(id)).collect::<Vec<_>>(),
        })
    }
}

impl Query {
    fn target(&self, id: char) -> Value {
        json!({
            "refId": id,
            "datasource": datasource_reference(),
            "expr": self.expression,
            "legendFormat": self.legend,
            "format": if self.buckets { "heatmap" } else { "time_series" },
        })
    }
}
