// Which measurements of a training run belong together, in which order, and what they mean.

export const GROUPS = [
  { title: "Loss and accuracy", figures: [["loss"], ["policy_loss"], ["value_loss"], ["accuracy"], ["token_accuracy"], ["exact"]] },
  {
    title: "Margins and rewards",
    figures: [["margin"], ["chosen_reward", "rejected_reward"], ["chosen_score", "rejected_score"], ["score"], ["judge_score"], ["score_deviation", "judge_deviation"]],
  },
  {
    title: "Log-probabilities",
    figures: [["chosen_logps", "rejected_logps"], ["logps"]],
    about:
      "Nats of whole replies. In most runs both fall: what is learnt is the difference between chosen and rejected replies, not the likelihood of the chosen ones. " +
      "A chosen log-probability that falls a little is normal. One that falls nearly as fast as the rejected one, while the margin hardly grows, means that probability moves to " +
      "replies that stand in neither column: lower the learning rate or raise beta, train on the chosen replies first (SFT), or take ORPO, whose loss holds them up.",
  },
  {
    title: "Policy",
    figures: [["kl"], ["kl_k3"], ["kl_baseline"], ["update_kl"], ["entropy"], ["response_length"], ["eos_rate"]],
    about: "KL is the distance from the initial model, in nats a reply. A score that rises while KL grows without end is being gamed; an EOS rate that falls or a length that doubles says the same.",
    isFor: ["kl", "entropy", "eos_rate"],
  },
  {
    title: "Reward ensemble",
    figures: [["mean_score"], ["score_variance"], ["variance"], ["variance_where_right"], ["variance_where_wrong"], ["error_auroc"]],
    about:
      "Variance is how far the members of the ensemble lie apart. The error AUROC says how often they disagree more on a pair that they get wrong than on one that they get right: " +
      "0.5 tells nothing. A judge's score is that of the members that only watch: where the score rises and it does not, the reward is optimised beyond what it knows.",
    isFor: ["variance", "score_variance"],
  },
  { title: "Critic and clipping", figures: [["explained_variance"], ["ratio"], ["first_ratio"], ["clip_fraction"], ["beta"]] },
  { title: "Optimiser", figures: [["grad_norm"], ["critic_grad_norm"], ["learning_rate"]] },
  { title: "Machine", figures: [["tokens_per_second"], ["prompts_per_second"], ["memory_mb"]] },
];
const REST = "Further";

/** The figures of these measurements by group: [{title, about, figures: [[name, …], …]}], empty groups left out. */
export function grouped(names) {
  const open = new Set(names);
  const take = (series) => series.filter((name) => open.delete(name));
  const found = GROUPS.map((group) => ({ ...group, figures: group.figures.map(take).filter((series) => series.length) }));
  const rest = [...open].sort().map((name) => [name]);
  return [...found, { title: REST, figures: rest }].filter((group) => group.figures.length).map((group) => ({
    title: group.title,
    figures: group.figures,
    about: !group.isFor || group.figures.flat().some((name) => group.isFor.includes(name)) ? group.about : undefined,
  }));
}

/** "log-probabilities of replies, chosen and rejected" for two series of one kind; else the name in words. */
export function titleOf(series) {
  if (series.length === 1) return inWords(series[0]);
  const last = series[0].split("_").slice(1).join("_");
  return `${inWords(last)}, ${series.map((name) => name.split("_")[0]).join(" and ")}`;
}

export function inWords(name) {
  const known = { logps: "log-probability", kl: "KL", kl_k3: "KL (k3)", memory_mb: "peak memory, MB", eos_rate: "EOS rate" };
  return known[name] ?? name.replace(/logps$/, "log-probability").replaceAll("_", " ");
}
