using Microsoft.Win32.SafeHandles;

namespace VfioUser.Disks;

/// <summary>A file past the page cache, of which the kernel carries out many accesses at a time, without a thread for each.</summary>
/// <remarks>Any thread asks; one of its own brings the answers.</remarks>
internal sealed class DirectFile : IDisposable
{
    // as much as two devices ask for; the rest waits
    private const int MostUnderWay = 256;
    private const int MostAnswers = 64;
    private const int Interrupted = 4; // EINTR

    private readonly Lock _lock = new();
    private readonly Lock _submitting = new();
    private readonly SafeFileHandle _file;
    private readonly Func<DirectAccess, long, Exception?> _check;
    private readonly nint _context;
    private readonly List<DirectAccess> _all = [];
    private readonly Stack<DirectAccess> _free = new();
    private readonly Queue<DirectAccess> _asked = new();
    private readonly nint[] _batch = new nint[MostAnswers];
    private readonly DirectAccess[] _batched = new DirectAccess[MostAnswers];
    private readonly Thread _answers;
    private readonly ManualResetEventSlim _idle = new(initialState: true);
    private int _underWay; // what was asked for, and has no answer
    private int _begun; // of those, what the kernel has

    private DirectFile(SafeFileHandle file, nint context, Func<DirectAccess, long, Exception?> check)
    {
        (_file, _context, _check) = (file, context, check);
        _answers = new Thread(BringAnswers) { IsBackground = true, Name = "file" };
        _answers.Start();
    }

    /// <param name="file">Borrowed until this is disposed.</param>
    /// <param name="check">Says what is wrong with an access by its result: bytes, or below 0 an errno. It may finish it.</param>
    /// <returns>Null where the system has no such accesses, or none left.</returns>
    public static DirectFile? TryCreate(SafeFileHandle file, Func<DirectAccess, long, Exception?> check) =>
        LinuxAio.TrySetup(MostUnderWay, out nint context) ? new DirectFile(file, context, check) : null;

    /// <summary>Asks for an access, which <see cref="Submit"/> begins.</summary>
    /// <param name="opcode">Read or write.</param>
    /// <param name="offset">In bytes, aligned.</param>
    /// <param name="memory">Aligned; the kernel's until the answer.</param>
    public ValueTask Ask(ushort opcode, long offset, ReadOnlyMemory<byte> memory)
    {
        lock (_lock)
        {
            if (!_free.TryPop(out DirectAccess? access))
                _all.Add(access = new DirectAccess(_all.Count, Free));
            access.Begin(opcode, (int)_file.DangerousGetHandle(), offset, memory);
            ValueTask answer = access.Answer;
            _asked.Enqueue(access);
            if (_underWay++ == 0)
                _idle.Reset();
            return answer;
        }
    }

    /// <summary>Begins what was asked for. It may wait for the file system, as for blocks that are to be allocated.</summary>
    public void Submit()
    {
        lock (_submitting)
        {
            while (SubmitSome())
            {
            }
        }
    }

    /// <summary>Waits for what is under way.</summary>
    public void Dispose()
    {
        _idle.Wait();
        LinuxAio.Destroy(_context);
        _answers.Join();
        _idle.Dispose();
    }

    // False if there is nothing left, or no room.
    private bool SubmitSome()
    {
        int count = 0;
        lock (_lock)
        {
            while (count < _batch.Length && _begun < MostUnderWay && _asked.TryDequeue(out DirectAccess? access))
            {
                _begun++;
                _batched[count] = access;
                _batch[count++] = access.Address;
            }
        }
        for (int done = 0; done < count;)
        {
            int begun = LinuxAio.Submit(_context, _batch.AsSpan(done, count - done));
            // it is about the first one, if any: the others are tried without it
            if (begun <= 0)
                End(_batched[done], begun);
            done += Math.Max(begun, 1);
        }
        return count > 0;
    }

    private void BringAnswers()
    {
        LinuxAio.Event[] events = new LinuxAio.Event[MostAnswers];
        while (true)
        {
            int count = LinuxAio.Wait(_context, events);
            if (count == -Interrupted)
                continue;
            if (count < 0)
                return; // the context is destroyed
            for (int i = 0; i < count; i++)
            {
                DirectAccess access;
                lock (_lock)
                    access = _all[(int)events[i].Data];
                End(access, events[i].Result);
            }
            if (HasAsked)
                Submit(); // there is room now
        }
    }

    private bool HasAsked
    {
        get
        {
            lock (_lock)
                return _asked.Count > 0;
        }
    }

    private void End(DirectAccess access, long result)
    {
        Exception? failure = _check(access, result);
        access.End(failure);
        lock (_lock)
        {
            _begun--;
            if (--_underWay == 0)
                _idle.Set();
        }
    }

    private void Free(DirectAccess access)
    {
        lock (_lock)
            _free.Push(access);
    }
}
