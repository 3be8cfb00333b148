/** Prints a template for the film: `cmaf`, the ready one; `dash`, the same as a DASH group; `indexed`, that in one file a track. */

import { readFileSync } from "node:fs";

const template = JSON.parse(readFileSync(new URL("../../../job-templates/cmaf.json", import.meta.url), "utf8"));
const kind = process.argv[2];
if (kind !== "cmaf") {
  const [group] = template.Settings.OutputGroups;
  group.OutputGroupSettings = {
    Type: "DASH_ISO_GROUP_SETTINGS",
    DashIsoGroupSettings: {
      SegmentLength: 4,
      FragmentLength: 2,
      ...(kind === "indexed" && { SegmentControl: "SINGLE_FILE", MpdProfile: "ON_DEMAND_PROFILE" }),
    },
  };
  for (const output of group.Outputs) output.ContainerSettings = { Container: "MPD" };
}
process.stdout.write(JSON.stringify(template));
