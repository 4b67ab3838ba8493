namespace VfioUser.Nvme;

/// <summary>A self-test under way. NVMe 2.0 8.6.</summary>
/// <param name="Kind">How long it is.</param>
/// <param name="Nsid">What the driver asked for: 0 for the controller alone, all ones for all namespaces.</param>
/// <param name="Spaces">What it reads.</param>
#pragma warning disable CA1001 // a source without a timer holds nothing to dispose of
internal sealed record SelfTest(SelfTestKind Kind, uint Nsid, IReadOnlyList<Namespace> Spaces)
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource _over = new();

    /// <summary>Cancelled when it is over, or its result not wanted any more.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>It is over.</summary>
    public void Cancel() => _over.Cancel();
}

/// <summary>Kinds of self-tests, by their code in command and log.</summary>
internal enum SelfTestKind : byte
{
    None = 0,
    Short = 1,
    Extended = 2,
}

/// <summary>How a self-test ended. NVMe 2.0 figure 213.</summary>
internal enum SelfTestResult : byte
{
    Passed = 0,
    AbortedByCommand = 1,
    AbortedByReset = 2,
    AbortedByRemoval = 3,
    AbortedByFormat = 4,
    Failed = 7,
    Aborted = 8,
    Unused = 0xF,
}
