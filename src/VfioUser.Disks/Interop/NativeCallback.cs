using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Disks;

/// <summary>What librbd calls back: an object, by a handle that native code keeps.</summary>
/// <remarks>Calls come on threads of the library, which must not wait for anything.</remarks>
internal abstract unsafe class NativeCallback
{
    private GCHandle _handle;

    protected NativeCallback() => _handle = GCHandle.Alloc(this);

    /// <summary>Of the call at the end of an access; gets <see cref="Argument"/>.</summary>
    // SAFETY: the function has the signature and the convention of rbd_callback_t, and throws nothing.
    public static nint Completed => (nint)(delegate* unmanaged[Cdecl]<nint, nint, void>)&OnCompleted;

    /// <summary>Of the call when an image has changed; gets <see cref="Argument"/>.</summary>
    // SAFETY: the function has the signature and the convention of rbd_update_callback_t, and throws nothing.
    public static nint Updated => (nint)(delegate* unmanaged[Cdecl]<nint, void>)&OnUpdated;

    /// <summary>Names the object to the library.</summary>
    public nint Argument => GCHandle.ToIntPtr(_handle);

    /// <summary>The library makes no call any more.</summary>
    public void Release() => _handle.Free();

    /// <summary>Is called with what came of an access. Throws nothing.</summary>
    /// <param name="result">A length, or below 0 an errno.</param>
    protected virtual void Complete(long result)
    {
    }

    /// <summary>Is called when the image has changed. Throws nothing.</summary>
    protected virtual void Update()
    {
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnCompleted(nint completion, nint argument)
    {
        long result = Librbd.ResultOf(completion);
        Librbd.Release(completion);
        Of(argument).Complete(result);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnUpdated(nint argument) => Of(argument).Update();

    private static NativeCallback Of(nint argument) => (NativeCallback)GCHandle.FromIntPtr(argument).Target!;
}
