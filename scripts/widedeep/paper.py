"""The figures and claims of the paper, one record each. Everything that lists figures or claims reads these records."""

from dataclasses import dataclass

# Columns of tables that several figures share; formats/tables.py explains the signs.
_HEATMAP = "row* panel* first* second* layer_first* layer_second* cka?"
_MEASURES = "measure* row* network* contrast? layer_first* layer_second* similarity?"
_COMPONENTS = (
    "network* layer_first* layer_second* share_first? cka? squared_cosine? cka_without_first_component? "
    "share_first_in_minibatches? squared_cosine_in_minibatches?"
)
_BLOCKS = (
    "network* network_accuracy? contrast? deletion* kind* stage block deleted layer* position in_block! accuracy "
    "accuracy_at_half?"
)


@dataclass(frozen=True)
class Figure:
    """A figure or table of the paper.

    Attributes:
        id: name in paths of files, as `fig1-seeds`.
        rule: the workflow's rule that draws it (study/drawings.py).
        section: where the paper has it.
        title: its contents in a few words, for the report and for tables of figures.
        category: its heading in the report.
        columns: columns of the CSV with all values that are drawn (formats/tables.py).
    """

    id: str
    rule: str
    section: str
    title: str
    category: str
    columns: str


FIGURES = {
    figure.id: figure
    for figure in (
        Figure(
            "fig1",
            "cka_by_depth_and_width",
            "figure 1",
            "CKA of all layer pairs within a network, by depth and by width",
            "Similarity within a network",
            _HEATMAP,
        ),
        Figure(
            "fig1-measures",
            "measures_by_depth_and_width",
            "figure 1",
            "figure 1 by other measures of similarity",
            "Similarity within a network",
            _MEASURES,
        ),
        Figure(
            "fig1-seeds",
            "cka_by_seed",
            "section 4",
            "figure 1 for every seed",
            "Similarity within a network",
            _HEATMAP,
        ),
        Figure(
            "fig2",
            "cka_by_share_of_data",
            "figure 2",
            "figure 1 on shares of the training set",
            "Similarity within a network",
            _HEATMAP,
        ),
        Figure(
            "fig3",
            "first_components",
            "figure 3",
            "first principal components, and CKA without them",
            "First principal components",
            _COMPONENTS,
        ),
        Figure(
            "fig4-probes",
            "linear_probes",
            "figure 4",
            "linear probes around the residual additions",
            "Residual blocks",
            _BLOCKS,
        ),
        Figure(
            "fig4-delete",
            "deleted_blocks",
            "figure 4",
            "accuracy without residual blocks",
            "Residual blocks",
            _BLOCKS,
        ),
        Figure(
            "fig5",
            "cka_between_networks",
            "figure 5",
            "CKA between networks, one pair of seeds",
            "Similarity between networks",
            _HEATMAP,
        ),
        Figure(
            "fig6-examples",
            "wide_against_deep",
            "figure 6",
            "wide against deep, by example",
            "Predictions",
            "example label wide deep control_first control_second",
        ),
        Figure(
            "fig6-classes",
            "wide_against_deep",
            "figure 6",
            "wide against deep, by class",
            "Predictions",
            "class* wide deep difference? low? high? p? q?",
        ),
        Figure(
            "A",
            "cka_convergence",
            "appendix A",
            "CKA by number of minibatches and batch size",
            "Minibatch CKA",
            "first* second* batch_size repeat minibatches examples unbiased? biased? full_batch?",
        ),
        Figure(
            "B",
            "accuracy_table",
            "appendix B",
            "accuracy by depth and width",
            "Networks",
            "family* fraction depth width seeds parameters test_mean test_std? train_mean train_std? published?",
        ),
        Figure(
            "C",
            "cka_without_residuals",
            "appendix C",
            "figure 1 for networks without residual connections",
            "Similarity within a network",
            _HEATMAP,
        ),
        Figure(
            "D",
            "first_components_by_seed",
            "appendix D",
            "figure 3 for every seed",
            "First principal components",
            _COMPONENTS,
        ),
        Figure(
            "E",
            "probes_and_deletion_by_seed",
            "appendix E",
            "figure 4 for every seed",
            "Residual blocks",
            _BLOCKS,
        ),
        Figure(
            "F",
            "cka_between_networks_mean",
            "appendix F",
            "figure 5 as mean over pairs of seeds",
            "Similarity between networks",
            _HEATMAP,
        ),
        Figure(
            "G",
            "prediction_agreement",
            "appendix G",
            "agreement of predictions",
            "Predictions",
            "first* second* pairs agreement? agreement_min? agreement_max? kappa? kappa_errors? kl? kl_min? kl_max? "
            "seeds_a_set hellinger?",
        ),
        Figure(
            "training",
            "training_curves",
            "section 3",
            "training loss and test accuracy by epoch",
            "Networks",
            "network* epoch train_loss train_accuracy test_loss? test_accuracy?",
        ),
    )
}


# The tables that decide claims beside those of all networks and pairs, by the option of scripts/decide_findings.py.
DECIDING_TABLES = {"blocks": "E.csv", "examples": "fig6.csv", "agreement": "G-pairs.csv", "convergence": "A.csv"}


@dataclass(frozen=True)
class Claim:
    """A claim of the paper. A function of findings/ that is named after the id decides it.

    Attributes:
        id: name in findings.csv.
        result: the figure that shows it; if one figure shows several claims, the part of it.
        text: the claim, a sentence.
        without_block: whether the claim is about networks without a block structure.
    """

    id: str
    result: str
    text: str
    without_block: bool = False


CLAIMS = {
    claim.id: claim
    for claim in (
        Claim("depth", "fig1, depth", "Deep networks have a block structure, shallow ones have none."),
        Claim("width", "fig1, width", "Wide networks have a block structure, narrow ones have none."),
        Claim(
            "seeds",
            "fig1-seeds",
            "Over seeds, small networks lack the block structure, and large ones nearly always have it.",
        ),
        Claim(
            "data", "fig2", "With less training data the block structure appears in narrower and shallower networks."
        ),
        Claim("shared-component", "fig3", "Inside the block structure layers share their first principal component."),
        Claim(
            "dominant-component",
            "fig3",
            "Inside the block structure the first principal component explains more of the variance than outside.",
        ),
        Claim("weakened-block", "fig3", "The block structure weakens when the first principal component is removed."),
        Claim("vanished-block", "fig3", "The block structure vanishes when the first principal component is removed."),
        Claim(
            "rising-probes",
            "fig4-probes",
            "Without a block, the accuracy of linear probes rises from layer to layer.",
            without_block=True,
        ),
        Claim("flat-probes", "fig4-probes", "Inside the block structure the accuracy of linear probes is flat."),
        Claim(
            "deleted-blocks",
            "fig4-delete",
            "Inside the block structure residual blocks can be deleted at little cost.",
        ),
        Claim(
            "equal-depth",
            "fig5",
            "Without a block, layers at the same relative depth are similar in different networks.",
            without_block=True,
        ),
        Claim("own-block", "fig5", "The block structure of one network resembles nothing in another."),
        Claim(
            "no-residuals",
            "C",
            "The block structure is no effect of the residual connections: it appears without them too.",
        ),
        Claim(
            "examples", "fig6-examples", "Wide and deep networks differ on single examples by more than seeds explain."
        ),
        Claim("classes", "fig6-classes", "Wide and deep networks differ in accuracy on some classes."),
        Claim("agreement", "G", "Networks of one architecture agree most in their predictions."),
        Claim("convergence", "A", "Minibatch CKA reaches the full-batch value, whatever the batch size."),
    )
}
