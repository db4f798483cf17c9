// The suite report: rows of its tables by what somebody types.
import { listen } from "../runs/find";

listen();
