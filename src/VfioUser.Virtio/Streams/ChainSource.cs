using System.Buffers;
using System.IO.Pipelines;

namespace VfioUser.Virtio;

/// <summary>What an author writes into a pipe, as a queue gives it to the driver.</summary>
/// <remarks>The queue's worker.</remarks>
/// <param name="reader">The pipe's end; nobody else reads from it.</param>
/// <param name="wake">Called, from any thread, when there is more.</param>
internal sealed class ChainSource(PipeReader reader, Action wake)
{
    private ReadOnlySequence<byte> _rest;
    private Task<ReadResult>? _read;
    private bool _hasResult;

    /// <summary>Whether all was taken, and no more will come.</summary>
    public bool IsCompleted { get; private set; }

    /// <summary>Whether it was completed with an exception.</summary>
    public bool IsAborted { get; private set; }

    /// <summary>What there is to take now; empty if there is nothing yet.</summary>
    public ReadOnlySequence<byte> Peek()
    {
        while (_rest.IsEmpty && !IsCompleted && Next())
        {
        }
        return _rest;
    }

    /// <summary>The first bytes of what there is are not needed any more.</summary>
    public void Advance(long count)
    {
        _rest = _rest.Slice(count);
        if (_rest.IsEmpty)
            Release();
    }

    /// <summary>Writes as much as there is, and as fits, into the driver's buffer.</summary>
    /// <param name="chain">The buffer, not completed yet.</param>
    /// <param name="offset">Where to begin in it.</param>
    /// <param name="most">No more bytes than that.</param>
    /// <returns>How many bytes were taken; they are lost if the memory cannot be written.</returns>
    public long WriteTo(VirtioChain chain, long offset = 0, long most = long.MaxValue)
    {
        ReadOnlySequence<byte> rest = Peek();
        long count = Math.Min(Math.Min(rest.Length, most), Math.Max(0, chain.Writable.Length - offset));
        foreach (ReadOnlyMemory<byte> piece in rest.Slice(0, count))
        {
            if (!chain.Writable.TryWrite(offset, piece.Span))
                break;
            offset += piece.Length;
        }
        Advance(count);
        return count;
    }

    /// <summary>Nothing is taken any more; the author's writes are dropped.</summary>
    public void Close()
    {
        if (IsCompleted)
            return;
        Release();
        IsCompleted = true;
        _rest = default;
        reader.Complete();
    }

    // whether it is worth looking again
    private bool Next()
    {
        if (_read is null)
        {
            Release();
            ValueTask<ReadResult> read = Read();
            if (read.IsCompleted)
                return Take(read);
            _read = read.AsTask();
            _read.GetAwaiter().UnsafeOnCompleted(wake);
        }
        if (!_read.IsCompleted)
            return false;
        ValueTask<ReadResult> ended = new(_read);
        _read = null;
        return Take(ended);
    }

    // a pipe throws the writer's exception at once, if it has it already
    private ValueTask<ReadResult> Read()
    {
        try
        {
            return reader.ReadAsync();
        }
        catch (Exception e)
        {
            return ValueTask.FromException<ReadResult>(e);
        }
    }

    private bool Take(ValueTask<ReadResult> read)
    {
        try
        {
            ReadResult result = read.GetAwaiter().GetResult();
            (_rest, _hasResult) = (result.Buffer, true);
            if (!_rest.IsEmpty || !result.IsCompleted)
                return true;
            Release();
        }
        catch (Exception)
        {
            // the writer says that it has failed: that is a way to end
            IsAborted = true;
        }
        IsCompleted = true;
        reader.Complete();
        return true;
    }

    private void Release()
    {
        if (!_hasResult)
            return;
        _hasResult = false;
        reader.AdvanceTo(_rest.End);
        _rest = default;
    }
}
