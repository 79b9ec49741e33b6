"""What texts mean to an embedder, on a database; they live and go with their texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

from bot.knowledge.meaning import MEANT_MAX, Packed, Row, Standing, Wanting
from bot.knowledge.port import Candidate
from storage.database import Cell, Database, Tx
from storage.database import Row as Found
from storage.passage_rows import candidate_of


class VectorStore:
    """`knowledge.meaning.Vectors` over a Database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def generation(self) -> int:
        return _int((await self._read("kb_live"))[0]["generation"])

    async def standing(self, embedder: str) -> Standing:
        row = (await self._read("kb_vector_counts", embedder=embedder))[0]
        return Standing(
            generation=_int(row["generation"]), texts=_int(row["texts"]), done=_int(row["done"])
        )

    async def missing(self, embedder: str, *, after: int, limit: int) -> list[Wanting]:
        rows = await self._read("kb_vector_missing", embedder=embedder, after=after, limit=limit)
        return [Wanting(id=_int(row["id"]), text=_meant(row)) for row in rows]

    async def known(self, embedder: str, keys: Sequence[str]) -> dict[str, Packed]:
        rows = await self._read("kb_vector_known", embedder=embedder, keys=json.dumps(keys))
        return {str(row["key"]): _packed(row) for row in rows}

    async def keep(self, embedder: str, vectors: Sequence[tuple[Wanting, Packed]]) -> None:
        rows: list[dict[str, Cell]] = [
            {
                "text": text.id,
                "embedder": embedder,
                "key": text.key,
                "scale": packed.scale,
                "content": packed.content,
            }
            for text, packed in vectors
        ]
        await self._database.write(lambda tx: tx.run_many("kb_add_vector", rows))

    async def rows(self, embedder: str, *, after: int, limit: int) -> list[Row]:
        rows = await self._read("kb_vectors", embedder=embedder, after=after, limit=limit)
        return [
            Row(
                id=_int(row["text"]),
                entry=_int(row["entry"]),
                index="doc" if row["role"] == "chunk" else "faq",
                packed=_packed(row),
            )
            for row in rows
        ]

    async def candidates(self, ids: Sequence[int], *, generation: int) -> list[Candidate]:
        rows = await self._read("kb_vector_rows", ids=json.dumps(ids), live=generation)
        return [candidate_of(row) for row in rows]

    async def forget_others(self, embedder: str, *, limit: int) -> int:
        async def work(tx: Tx) -> int:
            return len(await tx.run("kb_other_vectors", embedder=embedder, limit=limit))

        return await self._database.write(work)

    async def moved(self, since: int) -> float:
        row = (await self._read("kb_moved_since", generation=since))[0]
        return _int(row["moved"]) / max(1, _int(row["entries"]))

    async def fit(self, embedder: str) -> tuple[int, str]:
        rows = await self._read("kb_fit", embedder=embedder)
        return (_int(rows[0]["generation"]), str(rows[0]["fit"])) if rows else (0, "")

    async def keep_fit(self, embedder: str, generation: int, fit: str) -> None:
        kept: dict[str, Cell] = {"embedder": embedder, "generation": generation, "fit": fit}
        await self._database.write(lambda tx: tx.run("kb_keep_fit", **kept))

    async def _read(self, statement: str, **params: Cell) -> Sequence[Found]:
        return await self._database.read(lambda tx: tx.run(statement, **params))


def _meant(row: Found) -> str:
    """A section's chunk is embedded under its heading: alone it may not say what it is about."""
    title, text = str(row["title"]), str(row["text"])
    meant = f"{title}\n{text}" if row["kind"] == "doc" and title else text
    return meant[:MEANT_MAX]


def _packed(row: Found) -> Packed:
    return Packed(scale=cast("float", row["scale"]), content=cast("bytes", row["content"]))


def _int(cell: Cell) -> int:
    return cast("int", cell)
