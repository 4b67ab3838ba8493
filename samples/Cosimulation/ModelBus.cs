namespace Cosimulation;

/// <summary>The model, for which several threads take turns: those of the guest's accesses, and the one of its clock.</summary>
/// <remarks>
/// No thread waits for guest memory while it has its turn: the model's requests are carried out in between, and the model sees that as
/// a slow bus. So an access to a register never waits for memory, which may be reached by messages that the same client answers.
/// </remarks>
internal sealed class ModelBus : IDisposable
{
    private readonly Lock _lock = new();
    private readonly VerilatedModel _model;
    private readonly CosimulatedCoreOptions _options;
    private ModelPins _pins;
    private int _waiting;
    private volatile uint _levels;
    private uint _risen;
    private volatile bool _needsClock;
    private volatile ModelState _state;

    public ModelBus(VerilatedModel model, CosimulatedCoreOptions options)
    {
        _model = model;
        _options = options;
        Reset();
    }

    /// <summary>The levels of the interrupt wires after the last turn. Any thread.</summary>
    public uint Levels => _levels;

    /// <summary>Whether the model works. Any thread.</summary>
    public ModelState State => _state;

    /// <summary>Whether the clock has to run. Any thread.</summary>
    public bool NeedsClock => _needsClock;

    /// <summary>Whether an access of the guest waits for its turn. Any thread.</summary>
    public bool IsWanted => Volatile.Read(ref _waiting) != 0;

    /// <summary>Resets the model. The answer to a request of before is dropped.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _model.Native.ClockInReset(ref _pins, _options.ResetCycles);
            _state = ModelState.Running;
            Publish();
            Interlocked.Exchange(ref _risen, 0);
        }
    }

    /// <summary>An access to a register, as a transfer on the model's bus.</summary>
    /// <param name="address">A multiple of 4.</param>
    /// <param name="value">Read, or to write.</param>
    /// <param name="strobes">Which bytes are written; null for a read.</param>
    /// <returns>False if the model does not answer; it is left alone until the next reset.</returns>
    public bool TryAccess(uint address, ref uint value, byte? strobes)
    {
        Interlocked.Increment(ref _waiting);
        lock (_lock)
        {
            Interlocked.Decrement(ref _waiting);
            if (_state != ModelState.Running)
                return false;
            _pins.RegisterAddress = address;
            _pins.RegisterWriteData = value;
            _pins.RegisterStrobes = strobes ?? 0;
            _pins.RegisterWrite = (byte)(strobes is null ? 0 : 1);
            _pins.RegisterValid = 1;
            _model.Native.ClockUntilNeeded(ref _pins, _options.MaxAccessCycles);
            bool done = _pins.RegisterValid == 0;
            _pins.RegisterValid = 0;
            value = _pins.RegisterReadData;
            if (!done)
                _state = ModelState.Stuck;
            Publish();
            return done;
        }
    }

    /// <summary>Runs the clock for a turn.</summary>
    /// <returns>What the model asks for now, if anything: to be followed by <see cref="Answer"/>, unless there is a reset before.</returns>
    public MemoryRequest? Run()
    {
        lock (_lock)
        {
            _model.Native.ClockUntilNeeded(ref _pins, _options.TurnCycles);
            Publish();
            return _pins.DmaValid != 0 && _pins.DmaReady == 0 && _pins.Finished == 0
                ? new MemoryRequest(_pins.DmaWrite != 0, _pins.DmaAddress, _pins.DmaWriteData, _pins.DmaStrobes)
                : null;
        }
    }

    /// <summary>The model gets the answer with the next edge of its clock.</summary>
    public void Answer(bool succeeded, ulong data)
    {
        lock (_lock)
        {
            if (_pins.DmaValid == 0)
                return; // against the rules: the answer would be taken for that to its next request
            _pins.DmaReadData = data;
            _pins.DmaError = (byte)(succeeded ? 0 : 1);
            _pins.DmaReady = 1;
        }
    }

    /// <summary>The wires that have risen since the last call. Any thread.</summary>
    public uint TakeRisen() => Interlocked.Exchange(ref _risen, 0);

    public void FlushTrace()
    {
        lock (_lock)
            _model.Native.FlushTrace();
    }

    public void Dispose()
    {
        lock (_lock)
            _model.Dispose();
    }

    private void Publish()
    {
        _levels = _pins.Interrupts;
        _needsClock = _pins.NeedsClock;
        Interlocked.Or(ref _risen, _pins.RisenInterrupts);
        _pins.RisenInterrupts = 0;
        if (_pins.Finished != 0)
            _state = ModelState.Finished;
    }
}
