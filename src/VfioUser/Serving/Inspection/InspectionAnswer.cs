namespace VfioUser;

/// <summary>The answer, a line of JSON: an error, or what was requested. Immutable.</summary>
internal sealed record InspectionAnswer
{
    /// <summary>Why there is no other answer.</summary>
    public string? Error { get; init; }

    public ServerFacts? Server { get; init; }

    public RegisterFacts[]? Registers { get; init; }

    public DmaFacts[]? Dma { get; init; }

    public IrqFacts[]? Irqs { get; init; }

    public RefusalFacts[]? Refusals { get; init; }

    public CounterFacts[]? Counters { get; init; }

    /// <summary>Where the next request continues; null if this is all.</summary>
    public int? Next { get; init; }
}

/// <summary>A register. Immutable.</summary>
/// <param name="Region">Name of the region.</param>
/// <param name="Offset">First byte.</param>
/// <param name="Width">In bytes.</param>
/// <param name="Name">As it was declared.</param>
/// <param name="Access">What a guest may do with it.</param>
/// <param name="Value">The stored value.</param>
/// <param name="Text">The value in words.</param>
internal sealed record RegisterFacts(string Region, long Offset, int Width, string Name, string Access, ulong Value, string Text);

/// <summary>A DMA region. Immutable.</summary>
/// <param name="Address">First byte.</param>
/// <param name="Length">In bytes.</param>
/// <param name="Readable">Whether the device may read it.</param>
/// <param name="Writable">Whether the device may write it.</param>
/// <param name="Backing">How the device accesses it, as in metrics.</param>
internal sealed record DmaFacts(ulong Address, ulong Length, bool Readable, bool Writable, string Backing);

/// <summary>Vectors of one type that are in the same state. Immutable.</summary>
/// <param name="Type">As in metrics.</param>
/// <param name="First">The first vector.</param>
/// <param name="Count">How many follow one another in this state, the first included.</param>
/// <param name="Enabled">Whether the client has set an eventfd.</param>
/// <param name="Masked">Whether the client has masked it.</param>
/// <param name="Pending">Whether a trigger waits.</param>
internal sealed record IrqFacts(string Type, int First, int Count, bool Enabled, bool Masked, bool Pending);

/// <summary>A refusal. Immutable.</summary>
/// <param name="Number">Which one of the server, from 1.</param>
/// <param name="Time">When.</param>
/// <param name="Command">Name of the command.</param>
/// <param name="CommandNumber">Its number.</param>
/// <param name="MessageId">Its message; null if a client was refused.</param>
/// <param name="Size">Of the message; null if a client was refused.</param>
/// <param name="Errno">The answer.</param>
/// <param name="Reason">Why.</param>
internal sealed record RefusalFacts(long Number, DateTimeOffset Time, string Command, int CommandNumber, ushort? MessageId, uint? Size, string Errno, string Reason);

/// <summary>A counter. Immutable.</summary>
/// <param name="Name">Of the instrument.</param>
/// <param name="Tags">Its tags, without the device's.</param>
/// <param name="Value">The sum since the server was made.</param>
internal sealed record CounterFacts(string Name, Dictionary<string, string> Tags, double Value);
