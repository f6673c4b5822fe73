from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from retrieval.mine import BankTexts, MiningRule
from retrieval.pairs import TrainingPair
from retrieval.session import Collator, Session

Tiny = Callable[[], SentenceTransformer]
BANK = BankTexts.of({2: "adds", 4: "doubles", 6: "halves", 8: "squares", 10: "swaps"})


def session(model: SentenceTransformer, **changes: Any) -> Session:
    pairs = [
        TrainingPair(query_key="1_A", query_text="what is the area of the fraction", positive_id=2, other_labels=(4,)),
        TrainingPair(query_key="2_A", query_text="the sign", positive_id=6),
        TrainingPair(query_key="3_A", query_text="the ratio", positive_id=2, weight=changes.pop("weight", 1.0)),
    ]
    fields: dict[str, Any] = {
        "mine_every": 2,
        "first_random": False,
        "near_duplicates": None,
        "hint_dropout": 0.0,
        "score": None,
        "evaluate_every": 1,
        "patience": None,
        "epochs": 4,
        "batch_size": 2,
        "mining_batch_size": 8,
        "processes": 1,
        "seed": 0,
        "show_progress": False,
        "checkpoint_every": None,
        **changes,
    }
    rule = MiningRule(per_query=2, rank_window=(1, 5), skip_top=0, absolute_margin=None, relative_margin=None)
    return Session(model=model, pairs=pairs, bank=BANK, rule=rule, **fields)


def test_negatives_are_renewed_every_second_epoch(tiny: Tiny) -> None:
    run = session(tiny())
    tables = []
    for epoch in range(4):
        run.begin_epoch(epoch)
        tables.append(run.progress.negatives)
    assert tables[0] is tables[1]
    assert tables[2] is tables[3]
    assert tables[1] is not tables[2]
    assert (run.progress.minings, run.progress.mined_epoch, run.progress.epoch) == (2, 2, 3)


def test_an_epoch_resumed_in_its_middle_keeps_its_table(tiny: Tiny) -> None:
    run = session(tiny())
    run.begin_epoch(2)
    table = run.progress.negatives
    run.begin_epoch(2)
    assert run.progress.negatives is table


def test_a_cold_model_may_start_with_random_ones(tiny: Tiny) -> None:
    run = session(tiny(), first_random=True)
    run.begin_epoch(0)
    assert run.progress.minings == 0
    run.begin_epoch(2)
    assert run.progress.minings == 1


def test_steps_are_counted_a_process(tiny: Tiny) -> None:
    model = tiny()
    assert session(model).steps_per_epoch == 2
    assert session(model, batch_size=1, processes=2).steps_per_epoch == 1


def test_a_batch_holds_texts_in_the_order_of_its_labels(tiny: Tiny) -> None:
    model = tiny()
    run = session(model)
    run.begin_epoch(0)
    batch = Collator(run)([{"row": 0}, {"row": 1}])
    assert [name for name in batch if name.endswith("_input_ids")] == ["query_input_ids", "document_input_ids"]
    # the shorter query stands first
    decode = model.tokenizer.batch_decode
    assert decode(batch["query_input_ids"], skip_special_tokens=True) == ["the sign", run.pairs[0].query_text]
    labels = batch["label"]
    assert labels.dtype == torch.int64
    assert labels[:, 0].tolist() == [6, 2]
    assert labels[:, 3].tolist() == [-1, 4]
    places = batch["document_place"]
    assert places.dtype == torch.int64
    documents = decode(batch["document_input_ids"], skip_special_tokens=True)
    for column in range(3):
        texts = [BANK.texts[place] for place in BANK.places(np.asarray(labels[:, column]))]
        assert [documents[place] for place in places[:, column]] == texts
    assert sorted(documents) == sorted(BANK.texts[place] for place in BANK.places(np.unique(labels[:, :3])))
    assert "query_weight" not in batch


def test_the_trainer_finds_two_columns_and_the_places(tiny: Tiny) -> None:
    from sentence_transformers import SentenceTransformerTrainer

    run = session(tiny())
    run.begin_epoch(0)
    features, labels = SentenceTransformerTrainer.collect_features(None, run.collate([0, 1, 2]))
    assert [set(column) - {"modality"} for column in features] == [
        {"input_ids", "token_type_ids", "attention_mask"},
        {"input_ids", "token_type_ids", "attention_mask", "place"},
    ]
    assert labels is not None
    assert features[1]["place"].shape == (3, 3)
    assert len(features[1]["input_ids"]) == len(labels[:, :3].unique()) < 9


def test_weights_travel_only_where_they_matter(tiny: Tiny) -> None:
    run = session(tiny(), weight=0.25)
    run.begin_epoch(0)
    assert run.collate([2, 1])["query_weight"].tolist() == [1.0, 0.25]
    assert "query_weight" not in run.collate([0, 1])
