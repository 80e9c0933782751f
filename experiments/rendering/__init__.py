"""Tables, figures and the HTML report, from records and maps; nothing runs here."""
