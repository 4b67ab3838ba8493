namespace VfioUser;

/// <summary>Reads and writes guest memory by asking the client: for regions that have no file. Any thread.</summary>
internal interface IDmaMessages
{
    DmaResult Read(ulong address, Span<byte> destination);

    DmaResult Write(ulong address, ReadOnlySpan<byte> source);

    /// <summary>The command thread is about to wait for the device: what the client waits for must not wait with it.</summary>
    void BeforeWaiting();
}
