"""Drawing: the paper's figures, and the explorer.

    heatmaps            figures 1, 2 and 5, appendices C and F
    components          figure 3, appendix D
    residual_blocks     figure 4, appendix E
    predictions         figure 6, appendix G
    convergence         appendix A
    accuracies          appendix B
    style               the look that they share, and how they are saved
    explorer            the interactive page of a study

Modules draw what they are given; the programs scripts/plot_*.py and others read the files. Imports `findings` and the
packages before it.
"""
