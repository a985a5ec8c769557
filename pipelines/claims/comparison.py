"""The comparison as comparison.json has it: who wins by which protocol, and every claim with its verdict."""

from pipelines.claims.judge import judge
from pipelines.claims.results import Results
from pipelines.params import Params
from pipelines.ranking import Ranking
from pipelines.schemas.comparison import Comparison


def compare(settings: Params, results: Results, ranking: Ranking, data_md5: str) -> Comparison:
    winner = ranking[0][0]
    evaluation = results.evaluations[winner]
    return Comparison(
        dataset=settings.dataset.name,
        extractor=evaluation.extractor,
        reference=evaluation.reference,
        num_images=evaluation.num_images,
        num_sets=evaluation.num_sets,
        floor=evaluation.floor,
        codec_floor=None if results.codec is None else results.codec.distance,
        metric=settings.register_.metric,
        nfe=settings.register_.nfe,
        winner=winner,
        data_md5=data_md5,
        things=settings.dataset.things,
        roles=results.roles,
        claims=judge(results),
    )
