"""Reports: questions to ClickHouse for people who write no SQL, as tables, pictures in the terminal and pages."""
