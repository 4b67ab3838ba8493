namespace Nvme.Threads;

/// <summary>How a thread looks for more after the last work, before it sleeps.</summary>
/// <param name="Spin">For how long without a pause.</param>
/// <param name="Nap">For how long with short pauses, counted from the last work too.</param>
internal readonly record struct Pace(TimeSpan Spin, TimeSpan Nap);
