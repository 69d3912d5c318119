"""Relations of coded events from the tables of the OMOP Common Data Model (https://ohdsi.github.io/
CommonDataModel), versions 5.3 and 5.4."""
