using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The time for which a command has the device at rest; its end lets the device work again. Command thread.</summary>
/// <param name="quiescence">Null if there is nothing to end.</param>
/// <param name="errno">Why the device is not at rest, or <see cref="Errno.None"/>.</param>
internal readonly ref struct Rest(Quiescence? quiescence, Errno errno)
{
    public Errno Errno { get; } = errno;

    public void Dispose() => quiescence?.Resume();
}
