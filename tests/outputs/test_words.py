"""Every column, indicator and parameter has words; the data dictionary says all of them."""

import pytest
from fake_plan import fake_plan

from siteplanner import tables
from siteplanner.labels import chinese_meanings, label, section_labels
from siteplanner.model.totals import UNITS
from siteplanner.outputs.dictionary import data_dictionary, dictionary_rows
from siteplanner.outputs.parameter_page import parameter_table
from siteplanner.outputs.parameters import changed_parameters, parameter_rows, parameter_word, parameters
from siteplanner.outputs.wording import column_word, in_words, unit_word

TABLES = (*tables.INPUT_TABLES, *tables.STEP_TABLES, *tables.OUTPUT_TABLES)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_has_words_of_its_own(table, language):
    names = {column.name for column in (*table.columns, *tables.PLACED)} | ({table.key} - {""})
    for name in names:
        words = column_word(name, table.name, language)
        assert words
        assert words != name, f"{table.name}.{name} has no words"
    assert label(f"sheets.{table.name}", language)


def test_chinese_words_are_chinese_and_english_ones_are_not():
    for section in ("columns", "kpis", "notes", "report", "parameters", "sheets", "quota_reasons"):
        for key, words in section_labels(section, "en").items():
            assert not any("\u4e00" <= letter <= "\u9fff" for letter in words), (section, key)
    for section in ("columns", "kpis", "notes", "parameters", "sheets", "quota_reasons"):
        for key, words in section_labels(section, "zh").items():
            assert any("\u4e00" <= letter <= "\u9fff" for letter in words), (section, key)


def test_what_happens_without_a_column_is_said_in_chinese_and_as_the_tables_say():
    said = section_labels("absent", "en")
    told = {column.absent for table in TABLES for column in table.columns}
    codes = {code for table in TABLES for column in table.columns for code in column.values}
    assert told - codes - {"", "0", "40"} == set(said)
    assert all(key == words for key, words in said.items())


def test_every_meaning_is_said_in_chinese_and_none_is_left_over():
    said = chinese_meanings()
    assert set(said["tables"]) == {table.meaning for table in TABLES}
    assert set(said["columns"]) == {column.meaning for table in TABLES for column in table.columns}
    for english, chinese in (said["tables"] | said["columns"]).items():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), english


def test_the_chinese_dictionary_is_chinese_and_the_english_one_is_not():
    rows = dictionary_rows("zh")
    assert not rows["meaning"].isin({column.meaning for table in TABLES for column in table.columns}).any()
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in data_dictionary("en"))


def test_footfall_bands_have_words():
    for band in tables.FOOTFALL_BANDS:
        assert label(f"columns.{band}", "zh")


def test_every_unit_has_words():
    units = {column.unit for table in TABLES for column in table.columns} | set(UNITS.values())
    assert units - {"", "1", "share"} <= set(section_labels("units", "en"))
    assert unit_word("1", "en") == unit_word("share", "zh") == ""


def test_every_indicator_has_words():
    assert set(UNITS) <= set(section_labels("kpis", "zh"))


def test_every_parameter_has_words():
    rows = parameter_rows(fake_plan().scenario, "zh")
    method = rows[~rows["parameter"].str.startswith("inputs.")]
    assert set(method["parameter"]) == set(section_labels("parameters", "zh"))


def test_every_key_of_an_input_has_words_and_none_is_left_over():
    keys = [parameter.key.split(".")[1:] for parameter in parameters() if parameter.key.startswith("inputs.")]
    own = {".".join(key) for key in keys} | {name for _, name in keys}
    assert set(section_labels("input_parameters", "zh")) <= own
    assert all(parameter_word(f"inputs.{section}.{name}", "zh") for section, name in keys)


def test_the_chinese_page_of_parameters_says_all_of_them_in_chinese():
    lines = [line for line in parameter_table("zh").splitlines() if line.startswith("| `")]
    assert len(lines) == len(parameters())
    for line in lines:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in line.split(" | ")[3]), line
    heads = {parameter.key.rpartition(".")[0] or "top" for parameter in parameters()}
    assert heads == set(section_labels("parameter_sections", "zh"))


def test_a_page_of_parameters_writes_defaults_as_a_scenario_file_holds_them():
    text = parameter_table("en")
    assert "| `keep_last_in_township` | `true` |" in text
    assert "| `bands_min` | `[10.0, 20.0, 30.0]` |" in text
    assert "None" not in text


def test_codes_have_words():
    rows = dictionary_rows("zh").set_index(["table", "column"])["range"]
    for table in TABLES:
        for column in table.columns:
            if not column.values:
                continue
            # Letters of a rating stay letters.
            for code, said in zip(column.values, rows[table.name, column.name].split("\u3001"), strict=True):
                assert said.startswith(code)
                assert column.name == "rating" or any("\u4e00" <= letter <= "\u9fff" for letter in said)


def test_changed_parameters_are_those_that_differ():
    scenario = fake_plan().scenario
    assert changed_parameters(scenario, "en").empty
    changed = scenario.model_copy(
        update={
            "rules": scenario.rules.model_copy(update={"protected": ("B2", "B1")}),
            "access": scenario.access.model_copy(
                update={"core": scenario.access.core.model_copy(update={"speed_kmh": 5.0})}
            ),
        }
    )
    rows = changed_parameters(changed, "en").set_index("parameter")
    assert rows.loc["access.core.speed_kmh", ["value", "default"]].tolist() == [5.0, 4.8]
    assert rows.loc["rules.protected", "value"] == "B2, B1"
    assert len(rows) == 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_data_dictionary_holds_every_column_once(language):
    text = data_dictionary(language)
    for table in TABLES:
        assert text.count(f"· `{table.name}`\n") == 1
    rows = dictionary_rows(language)
    assert len(rows) == sum(len(table.columns) for table in TABLES)
    assert text.count("\n| `") == len(rows)


def test_words_replace_codes_without_touching_the_table():
    frame = fake_plan().candidates.sites
    before = frame.copy()
    said = in_words(frame, "en")
    assert set(said["destination_type"]) <= {
        label(f"values.destination_type.{k}", "en") for k in tables.DESTINATION_TYPES
    }
    assert frame.equals(before)
