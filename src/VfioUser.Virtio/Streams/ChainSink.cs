using System.IO.Pipelines;

namespace VfioUser.Virtio;

/// <summary>What a driver sends in a queue, as an author reads it from a pipe.</summary>
/// <remarks>One thread at a time.</remarks>
/// <param name="writer">The pipe's end; nobody else writes to it.</param>
/// <param name="wake">Called, from any thread, when a full pipe has room again.</param>
internal sealed class ChainSink(PipeWriter writer, Action wake)
{
    private const int MostAtOnce = 16 << 10;

    private Task<FlushResult>? _flush;

    /// <summary>Whether the author has not read what is there already.</summary>
    public bool IsFull => _flush is { IsCompleted: false };

    /// <summary>Whether the author reads nothing any more. What is written is dropped then.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Whether it was completed.</summary>
    public bool IsCompleted { get; private set; }

    /// <summary>Writes guest memory into the pipe, unless it is full.</summary>
    /// <param name="source">The memory.</param>
    /// <param name="offset">First byte of it.</param>
    /// <param name="count">In bytes, within the memory; the caller bounds it.</param>
    /// <returns>False if the memory cannot be read: some of it may have been written.</returns>
    public bool Write(DmaList source, long offset, long count)
    {
        bool isRead = true;
        while (isRead && count > 0 && !IsEnded)
        {
            int part = (int)Math.Min(count, MostAtOnce);
            isRead = source.TryRead(offset, writer.GetSpan(part)[..part]);
            if (isRead)
                writer.Advance(part);
            offset += part;
            count -= part;
        }
        Flush();
        return isRead;
    }

    /// <summary>Writes bytes into the pipe, unless it is full.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (IsEnded)
            return;
        bytes.CopyTo(writer.GetSpan(bytes.Length));
        writer.Advance(bytes.Length);
        Flush();
    }

    /// <summary>Looks whether the author still reads.</summary>
    public void Refresh()
    {
        if (_flush is not { IsCompleted: true } flush)
            return;
        _flush = null;
        Note(new ValueTask<FlushResult>(flush));
    }

    /// <summary>No more will come.</summary>
    /// <param name="exception">Thrown at whoever reads; null for a regular end.</param>
    public void Complete(Exception? exception = null)
    {
        if (IsCompleted)
            return;
        IsCompleted = true;
        writer.Complete(exception);
    }

    private bool IsEnded => IsClosed || IsCompleted || IsFull;

    private void Flush()
    {
        if (IsEnded)
            return;
        ValueTask<FlushResult> flush = FlushWriter();
        if (flush.IsCompleted)
        {
            Note(flush);
            return;
        }
        _flush = flush.AsTask();
        _flush.GetAwaiter().UnsafeOnCompleted(wake);
    }

    // a pipe throws the reader's exception at once, if it has it already
    private ValueTask<FlushResult> FlushWriter()
    {
        try
        {
            return writer.FlushAsync();
        }
        catch (Exception e)
        {
            return ValueTask.FromException<FlushResult>(e);
        }
    }

    private void Note(ValueTask<FlushResult> flush)
    {
        try
        {
            IsClosed |= flush.GetAwaiter().GetResult().IsCompleted;
        }
        catch (Exception)
        {
            // the author has completed its end with it
            IsClosed = true;
        }
    }
}
