"""The ground floor: records, tables, config, artifacts, engines and fusion. Imports no other room."""
