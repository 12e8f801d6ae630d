//! Rows of cells, as text and as Markdown.

/// A table with a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// What each column shows.
    pub heads: Vec<&'static str>,
    /// The cells, as many in each row as there are heads. A cell of no value is
    /// empty.
    pub rows: Vec<Vec<String>>,
    /// Columns at the left that are words; the others are numbers, and stand
    /// at the right of their columns.
    pub words: usize,
}

impl Table {
    /// Lines of columns as wide as their widest cells.
    #[must_use]
    pub fn text(&self) -> String {
        let heads = self.heads.iter().map(|head| head.to_uppercase()).collect();
        let lines: Vec<Vec<String>> = std::iter::once(heads).chain(self.shown()).collect();
        let widths = self.widths(&lines);
        let mut text = format!("{}\n\n", self.title);
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate();
            let cells: Vec<String> = cells
                .map(|(column, (cell, width))| match column < self.words {
                    true => format!("{cell:<width$}"),
                    false => format!("{cell:>width$}"),
                })
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// As GitHub reads it.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<String> = self.heads.iter().map(|head| escape(head)).collect();
        let rules = (0..self.heads.len()).map(|column| match column < self.words {
            true => "---".to_owned(),
            false => "---:".to_owned(),
        });
        let rules: Vec<String> = rules.collect();
        let mut text = format!(
            "**{}**\n\n{}{}",
            escape(&self.title),
            line(&heads),
            line(&rules)
        );
        for row in self.shown() {
            let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
            text.push_str(&line(&cells));
        }
        text
    }

    /// The rows, with a dash where there is no value.
    fn shown(&self) -> impl Iterator<Item = Vec<String>> {
        let dash = |cell: &String| match cell.as_str() {
            "" => "-".to_owned(),
            _ => cell.clone(),
        };
        self.rows
            .iter()
            .map(move |row| row.iter().map(dash).collect())
    }

    fn widths(&self, lines: &[Vec<String>]) -> Vec<usize> {
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..self.heads.len()).map(width).collect()
    }
}

fn escape(cell: &str) -> String {
    cell.replace('\\', "\\\\").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        Table {
            title: "Things".into(),
            heads: vec!["what", "how", "much"],
            rows: vec![row(["a|b", "well", "1.5 k"]), row(["longer", "", "20"])],
            words: 2,
        }
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            table().text(),
            "Things\n\n\
             WHAT    HOW    MUCH\n\
             a|b     well  1.5 k\n\
             longer  -        20\n"
        );
    }

    #[test]
    fn markdown_is_escaped() {
        assert_eq!(
            table().markdown(),
            "**Things**\n\n\
             | what | how | much |\n\
             | --- | --- | ---: |\n\
             | a\\|b | well | 1.5 k |\n\
             | longer | - | 20 |\n"
        );
    }
}
