using System.Runtime.InteropServices;

namespace Cosimulation;

/// <summary>A simulation in a shared library that <c>build-model</c> has made. One thread at a time.</summary>
internal sealed class NativeModel : SafeHandle
{
    private readonly nint _library;
    private readonly Destroy _destroy;
    private readonly Clock _reset;
    private readonly Clock _run;
    private readonly Flush _flush;

    /// <param name="path">Of the library.</param>
    /// <param name="tracePath">Null for no trace.</param>
    /// <param name="traceCycles">How many cycles are traced.</param>
    /// <exception cref="IOException">It cannot be loaded, or the trace cannot be written.</exception>
    public NativeModel(string path, string? tracePath, ulong traceCycles)
        : base(invalidHandleValue: 0, ownsHandle: true)
    {
        try
        {
            _library = NativeLibrary.Load(Path.GetFullPath(path));
            if (Export<PinsSize>("cosimulation_pins_size")() != Marshal.SizeOf<ModelPins>())
                throw new IOException($"{path} was built for another version of this program: build it again.");
            _destroy = Export<Destroy>("cosimulation_destroy");
            _reset = Export<Clock>("cosimulation_reset");
            _run = Export<Clock>("cosimulation_run");
            _flush = Export<Flush>("cosimulation_flush");
            SetHandle(Export<Create>("cosimulation_create")(tracePath, traceCycles));
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            throw new IOException($"{path} is no model that build-model has made: {e.Message}", e);
        }
        if (IsInvalid)
            throw new IOException(tracePath is null ? $"{path} could not be started." : $"The trace cannot be written to {tracePath}.");
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate uint PinsSize();

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate nint Create([MarshalAs(UnmanagedType.LPUTF8Str)] string? tracePath, ulong traceCycles);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void Destroy(nint model);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void Clock(nint model, ref ModelPins pins, uint cycles);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void Flush(nint model);

    public override bool IsInvalid => handle == 0;

    /// <summary>Clocks with the reset high. What has finished runs again.</summary>
    public void ClockInReset(ref ModelPins pins, int cycles) => Call(_reset, ref pins, cycles);

    /// <summary>Clocks until the registers' transfer is done if there is one, or else until the model asks for memory or needs no clock;
    /// in either case for <paramref name="cycles"/> at most.</summary>
    public void ClockUntilNeeded(ref ModelPins pins, int cycles) => Call(_run, ref pins, cycles);

    public void FlushTrace()
    {
        bool held = false;
        try
        {
            DangerousAddRef(ref held);
            _flush(handle);
        }
        finally
        {
            if (held)
                DangerousRelease();
        }
    }

    // The library stays loaded: C++ has destructors of threads in it.
    protected override bool ReleaseHandle()
    {
        _destroy(handle);
        return true;
    }

    private void Call(Clock function, ref ModelPins pins, int cycles)
    {
        bool held = false;
        try
        {
            DangerousAddRef(ref held);
            function(handle, ref pins, (uint)cycles);
        }
        finally
        {
            if (held)
                DangerousRelease();
        }
    }

    private T Export<T>(string name)
        where T : Delegate =>
        Marshal.GetDelegateForFunctionPointer<T>(NativeLibrary.GetExport(_library, name));
}
